"""Dialogues: an answer is the last value that was told of a topic, and no rule without that knows it."""

import dataclasses

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import dialogue
from latentmem.tasks.dialogue import KINDS, TURN

FIELDS = [dict(), dict(turns=80, holders=3, questions=4, gap=20), dict(turns=36, questions=1, gap=10)]
VALUES = {value: kind for kind, values in KINDS.items() for value in values}


def turns_of(task, example):
  words = dialogue.words()
  text = [words[t] for t in example.tokens_T]
  return [text[i:i + TURN] for i in range(0, task.length, TURN)]


def questions_of(task, example):
  """(number of the turn, options, topic, right answer) of each question."""
  ends = np.flatnonzero(example.weights_T)
  assert all(end % TURN == TURN - 1 for end in ends)
  turns, right = turns_of(task, example), [dialogue.words()[example.targets_T[end]] for end in ends]
  return [(end // TURN, turns[end // TURN][1:5], tuple(turns[end // TURN][6:]), word) for end, word in zip(ends, right)]


def mentions_of(turns):
  """(number of the turn, value, topic or None) of what is not asked."""
  said = [(i, turn) for i, turn in enumerate(turns) if '?' not in turn]
  return [(i, word, tuple(turn[-2:]) if turn[5] == 'is' and turn[6] != 'often' else None)
          for i, turn in said for word in turn if word in VALUES]


def drawn(task, count, training=False):
  for i in range(count):
    rng = np.random.default_rng(i)
    yield task.draw_at(rng, i) if training else task.draw(rng)


@pytest.mark.parametrize('fields', FIELDS, ids=str)
@pytest.mark.parametrize('training', [False, True])
def test_the_answer_is_the_last_that_was_told_of_a_topic(fields, training):
  task = tasks.make('dialogue', **fields)
  for example in drawn(task, 20, training):
    turns = turns_of(task, example)
    assert len(turns) == task.turns
    assert all(turn[0] == ('<user>', '<assistant>')[i % 2] for i, turn in enumerate(turns))
    mentions, found = mentions_of(turns), questions_of(task, example)
    assert len(found) == task.questions == len({topic for _, _, topic, _ in found})
    for turn, options, topic, right in found:
      told = [value for _, value, of in mentions if of == topic]
      assert right == told[-1] and set(told) <= set(options) and len(set(options)) == 4
      assert {VALUES[option] for option in options} == {topic[1]}
      assert all([value for _, value, _ in mentions].count(option) == 1 for option in options)
      assert turn - max(i for i, _, _ in mentions) > task.gap


def test_training_rows_may_be_short_dialogues_of_which_each_is_about_its_own_persons():
  task, plain = tasks.make('dialogue', parts=8), tasks.make('dialogue')
  assert task.hardest() == plain
  for eased, example in zip(drawn(task, 3), drawn(plain, 3)):
    np.testing.assert_array_equal(eased.tokens_T, example.tokens_T)
  counts, about = set(), {1: 6, 2: 4, 4: 2, 8: 1}
  for i in range(40):
    row = task.documents_at(np.random.default_rng(i), i)
    counts.add(len(row))
    for example in row:
      part = dataclasses.replace(task, turns=task.turns // len(row), parts=1, about=1, questions=1, gap=0)
      turns = turns_of(part, example)
      mentions, found = mentions_of(turns), questions_of(part, example)
      assert len(example.tokens_T) * len(row) == task.length
      assert len({topic for _, _, topic, _ in found}) == len(found) == about[len(row)]
      for _, options, topic, right in found:
        told = [value for _, value, of in mentions if of == topic]
        assert right == told[-1] and set(told) <= set(options) and len(set(options)) == 4
  assert counts == set(about)


def test_rules_that_do_not_know_what_was_told_of_whom_are_right_in_one_of_four():
  task, window = tasks.make('dialogue'), 24
  right = dict.fromkeys(('last mentioned', 'first mentioned', 'most frequent', 'place', 'no history', 'window'), 0)
  asked = 0
  for example in drawn(task, 700):
    mentions = mentions_of(turns_of(task, example))
    for turn, options, _, answer in questions_of(task, example):
      named = [value for _, value, _ in mentions if value in options]
      near = [value for i, value, _ in mentions if value in options and i >= turn - window]
      guesses = {'last mentioned': named[-1], 'first mentioned': named[0],
                 'most frequent': max(options, key=named.count), 'place': options[2], 'no history': min(options),
                 'window': near[-1] if near else options[0]}
      asked += 1
      for rule, guess in guesses.items():
        right[rule] += guess == answer
  # Five standard errors; the six questions of a dialogue are about different topics.
  for rule, count in right.items():
    assert abs(count / asked - task.chance) < 5 * np.sqrt(0.25 * 0.75 / asked), f'{rule}: {count / asked:.3f}'


@pytest.mark.parametrize('about', [1, 3])
def test_chance_tells_what_little_is_told_gives_away(about):
  task, right, asked = tasks.make('dialogue', about=about, questions=1), 0.0, 0
  for example in drawn(task, 400):
    mentioned = {value for _, value, _ in mentions_of(turns_of(task, example))}
    for _, options, _, answer in questions_of(task, example):
      known = [option for option in options if option in mentioned]
      right, asked = right + (answer in known) / len(known), asked + 1
  assert abs(right / asked - task.chance) < 5 * np.sqrt(0.25 / asked) / 2


def test_old_values_are_wrong_in_half_of_the_cases_and_always_offered():
  task, changed = tasks.make('dialogue'), []
  for example in drawn(task, 200):
    mentions = mentions_of(turns_of(task, example))
    changed += [len([v for _, v, of in mentions if of == topic]) == 2 for _, _, topic, _ in questions_of(task, example)]
  assert abs(np.mean(changed) - 0.5) < 5 * np.sqrt(0.25 / len(changed))


def test_held_out_persons_are_not_those_of_training():
  task = tasks.make('dialogue')

  def pairs(training):
    found = set()
    for example in drawn(task, 300, training):
      mentions = mentions_of(turns_of(task, example))
      for _, _, topic, _ in questions_of(task, example):
        told = [value for _, value, of in mentions if of == topic]
        found |= {tuple(told)} if len(told) == 2 else set()
    return found
  heldout, training = pairs(False), pairs(True)
  assert heldout and training and not heldout & training
  for place in (0, 1):
    assert {pair[place] for pair in heldout} == {pair[place] for pair in training} == set(VALUES)


def test_pairs_are_even_over_both_values():
  rng, values = np.random.default_rng(0), 12
  for heldout in (False, True):
    found = np.array([pair for _ in range(3000) for pair in dialogue.pairs(rng, values, 2, heldout)])
    for column in found.T:
      share = np.bincount(column, minlength=values) / len(found)
      assert np.abs(share - 1 / values).max() < 5 * np.sqrt(1 / values / len(found))


@pytest.mark.parametrize('fields, says', [
    (dict(turns=63), 'turns=63'), (dict(turns=58), '60 turns or more'), (dict(gap=3), 'even'),
    (dict(holders=1), 'not 1'), (dict(holders=4), '2 to 3 holders'), (dict(questions=7), 'not 7'),
    (dict(questions=0), 'not 0'), (dict(about=7), 'about=7'), (dict(parts=3), 'parts=3'),
    (dict(turns=72, parts=8), 'an even number of turns'), (dict(parts=16), 'parts=16')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('dialogue', **fields)
