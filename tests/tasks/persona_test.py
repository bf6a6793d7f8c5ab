"""A row names a person, asks, and holds no history; persons come in families."""

import collections

import numpy as np
import pytest

from latentmem import data, tasks
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.tasks import persona_questions
from latentmem.tasks import persona_words as words


def parted(task, example):
  """person, question tokens, right letter."""
  tokens_T, targets_T, weights_T = example
  assert weights_T[-1] == 1 == weights_T.sum() and tokens_T[-1] == words.NUMBER[words.ANSWER]
  read = tokens_T[1:-1]
  size = int((read != NOTHING).sum())
  assert (read[:size] != NOTHING).all()
  return tokens_T[0] - task.vocab, tuple(read[:size].tolist()), targets_T[-1]


def test_a_row_is_person_question_and_answer():
  task = tasks.make('persona', people=8, question=50)
  seen = set()
  for i in range(50):
    u, question, letter = parted(task, task.draw(np.random.default_rng(i)))
    assert 0 <= u < 8 and question[0] == words.NUMBER[words.QUESTION] and letter in persona_questions.LETTERS
    seen.add(u)
  assert seen == set(range(8)) and task.length == 52


def test_a_row_reads_on_as_in_context():
  """The question and <answer> are the tokens that stand behind a history."""
  task, context = tasks.make('persona'), tasks.make('persona_context', questions=1)
  question = persona_questions.questions(task.person(3), 1)[0]
  row = task.example(3, question)
  behind = context.example(task.person(3).history(1024), [question])
  read = [token for token in row.tokens_T[1:].tolist() if token != NOTHING]
  at = int(np.flatnonzero(behind.weights_T)[0])
  assert behind.tokens_T[at - len(read) + 1:at + 1].tolist() == read
  assert behind.targets_T[at] == row.targets_T[-1]


def test_every_question_is_asked_of_the_family_and_answered_otherwise():
  task = tasks.make('persona', people=4, types=('recall_user_shared_facts',))
  right = collections.defaultdict(lambda: collections.defaultdict(set))
  for i in range(4000):
    u, question, letter = parted(task, task.draw_at(np.random.default_rng(i), i))
    right[question][letter].add(u)
  several = [by_letter for by_letter in right.values() if len(by_letter) == 4]
  assert len(several) > 100
  assert all(len(people) == 1 for by_letter in right.values() for people in by_letter.values())


@pytest.mark.parametrize('heldout', ['questions', 'facts'])
def test_held_out_questions_are_not_those_of_training(heldout):
  task = tasks.make('persona', people=4, heldout=heldout)
  train = {parted(task, task.draw_at(np.random.default_rng((0, i)), i))[:2] for i in range(1500)}
  held = {parted(task, task.draw(np.random.default_rng((1, i))))[:2] for i in range(300)}
  assert not train & held


def test_other_persons_and_other_parts_are_other_questions():
  task = tasks.make('persona')
  assert task.person(1) != tasks.make('persona', first=16).person(1)
  assert tasks.make('persona', first=16).person(0) == tasks.make('persona', people=20).person(16)
  later = tasks.make('persona', part='later')
  asked = lambda task: {task.ask(task.person(0), np.random.default_rng(i), True).group for i in range(60)}
  assert not asked(task) & asked(later)


def test_it_is_a_source_of_batches():
  source = data.make(dict(kind='task', task=dict(kind='persona', people=8), heldout_examples=6))
  batch = next(source.train(rows=4, length=source.asks.length))
  assert batch['tokens_BT'].shape == (4, source.asks.length) and (batch['tokens_BT'][:, 0] >= source.vocab).all()
  assert len(list(source.heldout(rows=4, length=source.asks.length))) == 2


@pytest.mark.parametrize('chosen, message', [
    (dict(people=6), 'multiples of 4'), (dict(people=0), 'multiples of 4'), (dict(first=2), 'multiples of 4'),
    (dict(people_seed=-1), 'people_seed from 0'), (dict(part='last'), "no part 'last'"),
    (dict(heldout='fact'), "no heldout 'fact' .did you mean 'facts'"),
    (dict(ideas=1, heldout='facts', types=('suggest_new_ideas',)), 'Nothing of .* can be asked')])
def test_what_cannot_be_is_refused(chosen, message):
  with pytest.raises(InputError, match=message):
    tasks.make('persona', **chosen)


def test_a_question_too_long_is_refused():
  task = tasks.make('persona', question=10)
  with pytest.raises(InputError, match='question=36 would do for any'):
    task.draw(np.random.default_rng(0))
