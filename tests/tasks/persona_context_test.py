"""A row holds a history and questions, all of which it answers."""

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import persona_questions, persons
from latentmem.tasks import persona_words as words
from latentmem.tasks.asks_persons import LONGEST
from tests.tasks import persona_reader


def parted(example):
  """Of a row, in words: the history, and for each question its words, options and right letter."""
  tokens_T, targets_T, weights_T = example
  said = words.spoken(tokens_T)
  history, *asked = said.split(' <question> ')
  letters = [words.WORDS[target] for target in targets_T[tokens_T == words.NUMBER[words.ANSWER]]]
  parts = [text.split(' <answer>')[0].split(' (')[0:] for text in asked]
  return history, [(question, [option[3:] for option in options], 'abcd'.index(letter[1]))
                   for (question, *options), letter in zip(parts, letters, strict=True)]


@pytest.mark.parametrize('fields', [{}, dict(history=2048, questions=11),
                                    dict(history=400, preferences=1, evolutions=1, ideas=1, attributes=1, questions=5)])
def test_a_row_answers_its_questions(fields):
  task = tasks.make('persona_context', **fields)
  for i in range(10):
    example = task.draw(np.random.default_rng(i))
    history, asked = parted(example)
    assert len(asked) == task.questions == example.weights_T.sum()
    for question, options, right in asked:
      assert persona_reader.answer(history, question, options) == right
    assert task.history - 40 < len(history.split()) <= task.history


def test_letters_are_asked_at_their_answer_mark_and_read_behind_it():
  task = tasks.make('persona_context')
  tokens_T, targets_T, weights_T = task.draw(np.random.default_rng(0))
  at = np.flatnonzero(weights_T)
  assert (tokens_T[at] == words.NUMBER[words.ANSWER]).all()
  np.testing.assert_array_equal(tokens_T[at[:-1] + 1], targets_T[at[:-1]])
  behind = tokens_T[at[-1] + 1:]
  assert (behind == words.NUMBER[words.NONE]).all()


def test_every_example_is_another_persons():
  task = tasks.make('persona_context')
  histories = {parted(task.draw_at(np.random.default_rng(i), i))[0][:200] for i in range(20)}
  assert len(histories) == 20


def test_histories_of_training_may_vary_in_length_and_be_learned():
  task = tasks.make('persona_context', history=2048, shortest=800, history_weight=0.1)
  examples = [task.draw_at(np.random.default_rng(i), i) for i in range(20)]
  lengths = [len(parted(example)[0].split()) for example in examples]
  assert min(lengths) < 1200 < 1800 < max(lengths)
  for (tokens_T, targets_T, weights_T), told in zip(examples, lengths):
    assert (weights_T[:told - 1] == np.float32(0.1)).all() and weights_T[told - 1] == 0
    np.testing.assert_array_equal(targets_T[:told - 1], tokens_T[1:told])
  held = task.hardest()
  assert set(np.unique(held.draw(np.random.default_rng(0)).weights_T)) == {0, 1}
  assert len(parted(held.draw(np.random.default_rng(0)))[0].split()) > 2000


def test_open_questions_are_answered_in_words():
  closed, task = tasks.make('persona_context', questions=11), tasks.make('persona_context', questions=11, open=1.0)
  compared = set()
  for i in range(10):
    tokens_T, targets_T, weights_T = task.draw_at(np.random.default_rng(i), i)
    last, whole_T = np.flatnonzero(weights_T)[-1], np.append(tokens_T, words.NUMBER[words.NONE])
    whole_T[last + 1] = targets_T[last]
    said = words.spoken(whole_T).replace(' <none>', '').split(' <question> ')[1:]
    assert not any('(a)' in text for text in said)
    _, asked = parted(closed.draw_at(np.random.default_rng(i), i))
    answers = {question: options[right] for question, options, right in asked}
    for question, answer in (text.split(' <answer> ') for text in said):
      new, told = question.split()[0] in ('suggest', 'find', 'given', 'considering'), answers.get(question)
      if told:
        compared.add(new)
        assert answer == (told.split()[0] if new else told)
    assert weights_T.sum() == sum(len(text.split(' <answer> ')[1].split()) for text in said)
    np.testing.assert_array_equal(targets_T[weights_T > 0], whole_T[1:][weights_T > 0])
  assert compared == {True, False}
  held = task.draw(np.random.default_rng(0))
  assert held.weights_T.sum() == 11


def test_spelled_questions_are_answered_in_words_and_by_the_letter_behind_them():
  closed, task = tasks.make('persona_context', questions=5), tasks.make('persona_context', questions=5, spelled=1.0)
  with_open = tasks.make('persona_context', questions=5, spelled=1.0, open=1.0)
  for i in range(10):
    drawn = [each.draw_at(np.random.default_rng(i), i) for each in (task, with_open)]
    for tokens_T, targets_T, weights_T in drawn:
      last, whole_T = np.flatnonzero(weights_T)[-1], np.append(tokens_T, words.NUMBER[words.NONE])
      whole_T[last + 1] = targets_T[last]
      np.testing.assert_array_equal(targets_T[weights_T > 0], whole_T[1:][weights_T > 0])
      for text in words.spoken(whole_T).replace(' <none>', '').split(' <question> ')[1:]:
        question, answer = text.split(' <answer> ')
        if '(a)' in question:
          told, letter = answer.split(' (')
          assert f'({letter} {told}' in question + ' ('
        else:
          assert '(' not in answer
    _, asked = parted(closed.draw_at(np.random.default_rng(i), i))
    answers = ' '.join(f'{options[right]} ({"abcd"[right]})' for _, options, right in asked)
    assert words.spoken(drawn[0].targets_T[drawn[0].weights_T > 0]) == answers
  assert task.draw(np.random.default_rng(0)).weights_T.sum() == 5


@pytest.mark.parametrize('parts', [1, 4])
def test_drilled_questions_ask_for_more_letters_of_the_same_options(parts):
  task, again = tasks.make('persona_context', questions=4, dense=True, parts=parts, drilled=True), 0
  for i in range(12):
    for tokens_T, targets_T, weights_T in task.documents_at(np.random.default_rng(i), i):
      letters = iter(targets_T[weights_T > 0])
      history, *asked = words.spoken(tokens_T).split(' <question> ')
      for text in asked:
        question, *listed = text.split(' <answer>')[0].split(' (')
        if listed[0] == 'a)':
          again += 1
          assert listed == ['a)', 'b)', 'c)', 'd)'] and question not in before
        else:
          options, before = [option[3:] for option in listed], []
        before.append(question)
        if letter := next(letters, None):
          assert persona_reader.answer(history, question, options) == words.LETTERS.index(words.WORDS[letter])
  assert again > 20
  assert task.draw(np.random.default_rng(0)).weights_T.sum() == 4


def test_drilled_answers_spell_every_option_the_right_one_first():
  task = tasks.make('persona_context', questions=5, spelled=1.0, drilled=True)
  closed, rows = tasks.make('persona_context', questions=5), []
  for i in range(10):
    tokens_T, targets_T, weights_T = task.draw_at(np.random.default_rng(i), i)
    said = words.spoken(targets_T[weights_T > 0])
    _, asked = parted(closed.draw_at(np.random.default_rng(i), i))
    # The row has room for few questions that are spelled so; the others are asked for a letter.
    for _, options, right in asked[:2]:
      spelt = sorted(f'{option} {letter} ' for option, letter in zip(options, words.LETTERS))
      told, said = (said + ' ')[:sum(map(len, spelt))], (said + ' ')[sum(map(len, spelt)):].rstrip()
      assert told.startswith(f'{options[right]} {words.LETTERS[right]}')
      parts = [part + ') ' for part in told.split(') ')[:-1]]
      assert sorted(parts) == spelt
      rows.append([words.LETTERS.index(part.split()[-1]) for part in parts])
  assert len({tuple(row) for row in rows}) > 12


def test_a_row_with_room_for_a_letter_alone_asks_for_it():
  fields = dict(history=400, preferences=1, evolutions=1, ideas=1, attributes=1, questions=1)
  task, fewest = tasks.make('persona_context', spelled=1.0, dense=True, **fields), 9
  for i in range(300):
    tokens_T, _, weights_T = task.draw_at(np.random.default_rng(i), i)
    fewest = min(fewest, weights_T.sum())
    assert weights_T.sum() and np.sum(tokens_T == words.NUMBER[words.QUESTION])
  assert fewest == 1


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_dense_rows_are_full_of_questions(share):
  task, found = tasks.make('persona_context', history=1024, shortest=900, questions=2, open=share, dense=True), 0
  for i in range(5):
    tokens_T, targets_T, weights_T = task.draw_at(np.random.default_rng(i), i)
    last = np.flatnonzero(weights_T)[-1]
    assert len(tokens_T) - last <= LONGEST + 2 and np.all(targets_T[weights_T > 0] != words.NUMBER[words.NONE])
    found += np.sum(tokens_T == words.NUMBER[words.QUESTION])
  assert found > 5 * 2
  assert task.draw(np.random.default_rng(0)).weights_T.sum() == 2


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_rows_of_several_persons_tell_of_each_what_is_asked_and_little_more(share):
  task, counts, told = tasks.make('persona_context', questions=4, parts=8, open=share), [], []
  for i in range(24):
    row = task.documents_at(np.random.default_rng(i), i)
    counts.append(len(row))
    if len(row) == 1:
      np.testing.assert_array_equal(row[0].weights_T[:900], 0)
      continue
    for example in row:
      assert len(example.tokens_T) == task.document * (8 // len(row))
      if share:
        assert example.weights_T.sum() > 1
        continue
      history, asked = parted(example)
      told.append(len(history.split()))
      assert asked and told[-1] <= len(example.tokens_T) // 2
      for question, options, right in asked:
        assert persona_reader.answer(history, question, options) == right
  assert set(counts) == {1, 2, 4, 8}
  assert task.hardest() == tasks.make('persona_context', questions=4, open=share)


def test_types_are_those_that_are_asked():
  task = tasks.make('persona_context', types=('suggest_new_ideas', 'recall_user_shared_facts'), questions=4)
  asked = [question.split()[0] for i in range(5) for question, *_ in parted(task.draw(np.random.default_rng(i)))[1]]
  assert set(asked) <= {'suggest', 'find', 'what', 'name'} and len(asked) == 20


@pytest.mark.parametrize('chosen, message', [
    (dict(questions=0), 'asks 1 to 11 questions'), (dict(questions=12), 'asks 1 to 11 questions'),
    (dict(types=('suggest_new_ideas',), questions=3), 'asks 1 to 2 questions'),
    (dict(history=500), 'take up to [0-9]+ tokens of history, and the shortest has 500'),
    (dict(shortest=300), 'the shortest has 300'), (dict(shortest=1025), 'a shortest history up to history=1024'),
    (dict(parts=3), 'parts=3'), (dict(parts=16), '144 tokens or more; it got parts=16'),
    (dict(history_weight=-1.0), 'history_weight >= 0'), (dict(open=1.5), 'a share of open questions'),
    (dict(spelled=-0.5), '0.0 and -0.5')])
def test_what_cannot_be_is_refused(chosen, message):
  with pytest.raises(InputError, match=message):
    tasks.make('persona_context', **chosen)


def test_a_row_that_does_not_fit_is_refused():
  task, person = tasks.make('persona_context', questions=1), persons.Person(0, 0)
  asked = persona_questions.questions(person, 1)
  assert task.example(person.history(1024), asked).weights_T.sum() == 1
  with pytest.raises(InputError, match='do not fit a row'):
    task.example(person.history(2048), asked)
