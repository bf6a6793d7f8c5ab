"""A task's batches are its examples, whole or in pieces; held-out ones are nobody's training examples."""

import itertools

import numpy as np
import pytest

from latentmem import data
from latentmem.base.errors import InputError
from latentmem.data import task as task_source
from latentmem.tasks import interface

RECALL = dict(kind='recall', vocab=64, length=32, pairs=4)


def make(task=RECALL, **fields):
  return data.make(dict(kind='task', task=task, **fields))


def test_examples_come_in_order_one_a_row():
  source = make()
  iterator = source.train(rows=4, length=32, seed=7)
  for step in range(3):
    batch = next(iterator)
    for b in range(4):
      example = source.documents(task_source.TRAIN, 7, 4 * step + b)[0]
      for name, want_T in zip(('tokens_BT', 'targets_BT', 'weights_BT'), example):
        np.testing.assert_array_equal(batch[name][b], want_T)
    assert batch['reset_BT'][:, 0].all() and batch['reset_BT'].sum() == 4
    np.testing.assert_array_equal(batch['position_BT'], np.tile(np.arange(32), (4, 1)))


@pytest.mark.parametrize('length, pieces', [(16, 2), (8, 4), (24, 2)])
def test_a_long_example_runs_over_several_batches(length, pieces):
  source = make()
  iterator = source.train(rows=3, length=length, align=8, seed=7)
  for n in range(2):
    parts = [next(iterator) for _ in range(pieces)]
    for b in range(3):
      example = source.documents(task_source.TRAIN, 7, 3 * n + b)[0]
      for name, want_T in zip(('tokens_BT', 'targets_BT', 'weights_BT'), example):
        whole_T = np.concatenate([p[name][b] for p in parts])
        np.testing.assert_array_equal(whole_T[:32], want_T)
        assert not whole_T[32:].any()
    for i, part in enumerate(parts):
      assert part['reset_BT'].sum() == (3 if i == 0 else 0) and part['position_BT'][0, 0] == i * length


def cut(source, *places):
  """A source whose training rows are examples cut in documents."""
  draw = source.asks.draw

  def documents_at(rng, i):
    pieces = zip(*(np.split(whole_T, places) for whole_T in draw(rng)))
    return [interface.Example(*piece) for piece in pieces]
  object.__setattr__(source.asks, 'documents_at', documents_at)
  return source


def test_several_documents_of_a_row_begin_where_the_one_before_ends():
  batch, whole = (next(source.train(rows=2, length=32, align=8, seed=7)) for source in (cut(make(), 8, 24), make()))
  first, second = itertools.islice(cut(make(), 8, 24).train(rows=2, length=16, align=8, seed=7), 2)
  place_T = np.concatenate([np.arange(8), np.arange(16), np.arange(8)])
  for name, want_T in dict(position_BT=place_T, reset_BT=place_T == 0).items():
    np.testing.assert_array_equal(batch[name], np.tile(want_T, (2, 1)))
  for name in batch:
    np.testing.assert_array_equal(np.concatenate([first[name], second[name]], 1), batch[name])
  for name in ('tokens_BT', 'targets_BT', 'weights_BT'):
    np.testing.assert_array_equal(batch[name], whole[name])


def test_a_document_that_begins_within_a_chunk_is_refused():
  source = make(dict(kind='dialogue', parts=8))
  assert len(next(source.train(rows=1, length=512, align=64))['tokens_BT']) == 1
  with pytest.raises(InputError, match='64 tokens is not a multiple of 128'):
    source.train(rows=1, length=512, align=128)
  assert make(dict(kind='dialogue')).train(rows=1, length=512, align=128)


def test_a_long_example_is_drawn_once():
  source, drawn = make(heldout_examples=6), []
  draw = source.hardest.draw
  # Of this source alone: others may still be read ahead.
  object.__setattr__(source.hardest, 'draw', lambda rng: drawn.append(1) or draw(rng))
  assert len(list(source.heldout(rows=3, length=8))) == 8 and len(drawn) == 6


def test_a_short_example_is_padded():
  batch = next(make().train(rows=2, length=40, align=64))
  assert batch['tokens_BT'].shape == (2, 40) and not batch['weights_BT'][:, 32:].any()


def test_held_out_examples_are_their_own():
  source = make(heldout_examples=10)
  heldout = list(source.heldout(rows=4, length=32))
  assert len(heldout) == 3
  tokens = np.concatenate([b['tokens_BT'] for b in heldout])
  weights = np.concatenate([b['weights_BT'] for b in heldout])
  assert (weights.sum(1) == [4] * 10 + [0] * 2).all(), 'ten examples, two blank rows'
  held = {t.tobytes() for t in tokens[:10]}
  for seed in range(3):
    iterator = source.train(rows=4, length=32, seed=seed)
    assert not held & {t.tobytes() for _ in range(5) for t in next(iterator)['tokens_BT']}
  # The same examples whatever the sizes of the batches.
  again = np.concatenate([b['tokens_BT'] for b in source.heldout(rows=2, length=32)])
  np.testing.assert_array_equal(tokens[:10], again[:10])


def test_pieces_are_scored_as_wholes():
  source = make(heldout_examples=8)
  results = []
  for length in (32, 8):
    scorer = source.scorer()
    for batch in source.heldout(rows=4, length=length, align=8):
      # Right where the token read is even, whatever the cut.
      predicted = np.where(batch['tokens_BT'] % 2 == 0, batch['targets_BT'], -1)
      scorer.add(batch, batch['tokens_BT'] / 7, predicted)
    results.append(scorer.result())
  assert results[0] == pytest.approx(results[1]) and 0 < results[0]['accuracy'] < 1


def test_a_needle_can_be_tested_longer_than_it_was_trained():
  train = dict(kind='needle', length=512, shortest=460)
  sources = [make(train | dict(length=n), heldout_examples=2) for n in (512, 2048)]
  short, long = (list(s.heldout(rows=2, length=512)) for s in sources)
  assert len(short) == 1 and len(long) == 4 and [b['weights_BT'].sum() for b in long] == [0, 0, 0, 14]


def test_held_out_examples_are_of_the_hardest():
  source = make(RECALL | dict(blocks=4), heldout_examples=32)
  shown = slice(0, 2 * source.asks.pairs)
  asked_early = lambda batch: batch['weights_BT'][:, shown].any()
  held, = source.heldout(rows=32, length=source.asks.length)
  assert not asked_early(held) and asked_early(next(iter(source.train(rows=32, length=source.asks.length))))


def test_it_describes_itself():
  source = make()
  about = source.describe()
  assert about['vocab'] == source.vocab == 64 and about['task']['pairs'] == 4
  assert about['fingerprint'] == source.fingerprint
  assert source.fingerprint == make().fingerprint != make(RECALL | dict(pairs=5)).fingerprint


def test_a_field_at_its_default_changes_no_fingerprint():
  of = lambda **task: task_source.Task(task=RECALL | task).fingerprint
  assert of() == of(passes=1) == make().fingerprint != of(power=0.02)


@pytest.mark.parametrize('fields, call, says', [
    (dict(task='text'), None, 'kind "corpus"'), (dict(heldout_examples=0), None, 'heldout_examples'),
    (dict(), dict(rows=4, length=24, align=16), 'not a multiple of 16'),
    (dict(), dict(rows=4, length=32, seed=-1), 'seed')])
def test_bad_input_is_named(fields, call, says):
  with pytest.raises(InputError, match=says):
    make(**fields).train(**call)
