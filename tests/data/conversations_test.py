"""Turns and questions become rows that can be read back, and what does not fit is told."""

import copy
import json

import numpy as np
import pytest

from latentmem import data
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.data import conversations
from latentmem.data.conversations import Conversations
from tests.tasks.locomo_test import RECORD


@pytest.fixture
def path(tmp_path):
  other = copy.deepcopy(RECORD)
  other['sample_id'] = 'conv-2'
  other['conversation']['session_1'][0]['text'] = 'Hello,\nBob.'
  (tmp_path / 'two.json').write_text(json.dumps([RECORD, other]))
  return str(tmp_path)


def texts(source, row):
  """What stands before, with the first token of what is said; and what is asked for."""
  read = row['tokens_BT'][1:1 + source.question]
  first = row['tokens_BT'][1 + source.question]
  return (source.coder.decode([*read[read != NOTHING], first]),
          source.coder.decode(row['targets_BT'][row['weights_BT'] > 0]))


def test_a_turn_is_cut_at_a_word_and_whole_again(path):
  source = Conversations(path, question=64, answer=48)
  seen = set()
  for i in range(40):
    u = i % 2
    before, said = texts(source, source.turn(u, source.read[u].turns[0], np.random.default_rng(i)))
    seen.add(before)
    whole = '1 pm on 8 May, 2023\nAnn: ' + ('Hello, Bob.' if u else 'I adopted two cats.') + '\n'
    assert before + said == whole and before.startswith('1 pm on 8 May, 2023\nAnn:')
  assert len(seen) == 5


def test_a_row_reads_what_was_asked_for_before(path):
  source = Conversations(path, question=64, answer=48)
  row = source.option(1, 'What did Ann adopt?', 'two cats', person=0)
  asked = row['weights_BT'] > 0
  assert texts(source, row) == ('Question: What did Ann adopt?\nAnswer:', ' two cats\n')
  assert row['tokens_BT'][0] == source.vocab and row['bytes_BT'].sum() == len(' two cats\n') == asked.sum()
  np.testing.assert_array_equal(row['tokens_BT'][asked][1:], row['targets_BT'][asked][:-1])
  assert row['reset_BT'].tolist() == [True] + [False] * 112
  assert source.option(1, 'What?', 'x')['tokens_BT'][0] == source.vocab + 1


def test_what_is_long_is_cut_where_it_may_be(path):
  source = Conversations(path, question=12, answer=6)
  before, said = texts(source, source.turn(0, source.read[0].turns[0], np.random.default_rng(1)))
  assert len(before) == 12 + 1 and len(said) == 6 - 1
  with pytest.raises(InputError, match='answer=11 would do'):
    source.option(0, 'What did Ann adopt?', 'two cats')


def test_answers_have_the_room_they_need(path, monkeypatch):
  assert Conversations(path).asks.answer == conversations.LEAST and Conversations(path, answer=48).asks.answer == 48
  monkeypatch.setattr(conversations, 'LEAST', 2)
  needed = Conversations(path)
  longest = max(int(row['weights_BT'].sum()) for asked in needed.asked() for row in asked.rows)
  answer = needed.asks.answer
  assert answer == longest + 1 and needed.asks.length == 1 + needed.question + answer
  assert needed.fingerprint == Conversations(path, answer=answer).fingerprint
  with pytest.raises(InputError, match=f'answer={answer} would do'):
    Conversations(path, answer=longest).asked()


def test_batches_are_of_turns_and_held_out_ones_of_questions(path):
  source = data.make(dict(kind='conversations', path=path, question=64, answer=48))
  assert source.people == 2 and source.describe()['turns'] == 6
  batch = next(iter(source.train(4, source.asks.length)))
  assert batch['tokens_BT'].shape == (4, 113) and set(batch['tokens_BT'][:, 0] - source.vocab) <= {0, 1}
  held = list(source.heldout(3, source.asks.length))
  found = [texts(source, {name: a[b] for name, a in batch.items()}) for batch in held for b in range(3)]
  assert [said for _, said in found] == [' two cats\n', ' 2022\n'] * 2 + ['', '']
  np.testing.assert_array_equal(batch['tokens_BT'], next(iter(source.train(4, source.asks.length)))['tokens_BT'])
  again = next(iter(source.train(4, source.asks.length, shard=1, shards=2)))
  np.testing.assert_array_equal(batch['tokens_BT'][2:], again['tokens_BT'])


def test_a_base_reads_turns_as_they_are_remembered(path):
  source = Conversations(path)
  told = source.coder.decode(source.transcript(source.read[0].turns[:2]))
  assert told == ('1 pm on 8 May, 2023\nAnn: I adopted two cats.\n'
                  '1 pm on 8 May, 2023\nBob: Lovely! [shows a cat on a mat]\n')


def test_what_is_said_ends_with_its_line(path):
  source = Conversations(path, words=300)
  assert source.ends_V.shape == (300,) and np.flatnonzero(source.ends_V).tolist() == [ord('\n')]
  said_A = np.array([*b' two cats.\n', NOTHING, NOTHING], np.int32)
  assert source.text_of(said_A) == 'two cats.' and source.text_of(said_A[-2:]) == ''
  # Numbers that stand for no word are not spoken.
  assert source.text_of(np.array([299, ord('a')], np.int32)) == 'a'


def test_what_it_is_decides_the_fingerprint(path, tmp_path):
  source = Conversations(path)
  (tmp_path / 'moved').mkdir()
  (tmp_path / 'moved' / 'two.json').write_text((tmp_path / 'two.json').read_text())
  assert Conversations(str(tmp_path / 'moved')).fingerprint == source.fingerprint
  (tmp_path / 'moved' / 'two.json').write_text((tmp_path / 'two.json').read_text().replace('Lovely', 'Nice'))
  others = [Conversations(str(tmp_path / 'moved')), Conversations(path, question=40), Conversations(path, words=300)]
  assert len({source.fingerprint, *(each.fingerprint for each in others)}) == 4


@pytest.mark.parametrize('chosen, said', [
    (dict(path=''), 'needs a path'), (dict(question=0), 'question=1 or more'), (dict(answer=1), 'answer=2 or more'),
    (dict(words=200), 'another tokenizer')])
def test_what_does_not_fit_is_refused(path, chosen, said):
  with pytest.raises(InputError, match=said):
    data.make(dict(kind='conversations', path=path) | chosen).describe()


def test_rows_have_one_length(path):
  with pytest.raises(InputError, match='have 113 tokens, not 64'):
    Conversations(path).train(2, 64)
