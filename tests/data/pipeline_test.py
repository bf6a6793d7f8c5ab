"""A stream's position is saved and restored exactly, and processes share what one would read."""

import json
import pathlib
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

from latentmem import data
from latentmem.base.errors import InputError
from latentmem.data import pipeline

SOURCES = [
    dict(kind='task', task=dict(kind='recall', vocab=64, length=32, pairs=4)),
    dict(kind='task', task=dict(kind='copying', length=60, symbols=4)),
    dict(kind='corpus', corpus=dict(kind='stdlib', path=f'{sysconfig.get_path("stdlib")}/json', heldout=0.4),
         max_document=64),
]
LENGTH, ROWS = 32, 4


@pytest.fixture(scope='module', params=SOURCES, ids=['recall', 'copying in pieces', 'corpus'])
def source(request):
  return data.make(request.param)


def same(a, b):
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert a[name].dtype == b[name].dtype


def take(iterator, n):
  return [next(iterator) for _ in range(n)]


def test_a_batch_is_what_the_trainer_expects(source):
  batch, after = take(source.train(ROWS, LENGTH, 8), 2)
  kinds = dict(tokens_BT=np.int32, targets_BT=np.int32, weights_BT=np.float32, reset_BT=bool, position_BT=np.int32)
  assert {name: a.dtype for name, a in batch.items()} == kinds
  assert all(a.shape == (ROWS, LENGTH) for a in batch.values())
  assert batch['reset_BT'][:, 0].all() and batch['tokens_BT'].max() < source.vocab
  # A long example may ask nothing in its first piece.
  assert batch['weights_BT'].sum() + after['weights_BT'].sum() > 0


def test_resumed_equals_uninterrupted(source):
  rest = take(source.train(ROWS, LENGTH, 8, seed=1), 11)[5:]
  for a, b in zip(rest, take(source.train(ROWS, LENGTH, 8, seed=1, start=5), 6)):
    same(a, b)


def test_other_shards_go_on_with_the_same_batches(source):
  whole = take(source.train(ROWS, LENGTH, 8, seed=2), 4)[2:]
  parts = [take(source.train(ROWS, LENGTH, 8, seed=2, shard=p, shards=2, start=2), 2) for p in range(2)]
  for batch, *halves in zip(whole, *parts):
    same(batch, {name: np.concatenate([half[name] for half in halves]) for name in batch})


def test_shards_together_are_one_process(source):
  whole = take(source.train(ROWS, LENGTH, 8, seed=2), 4)
  parts = [take(source.train(ROWS, LENGTH, 8, seed=2, shard=p, shards=2), 4) for p in range(2)]
  for step in range(4):
    same(whole[step], {name: np.concatenate([part[step][name] for part in parts]) for name in whole[step]})
  whole, parts = list(source.heldout(ROWS, LENGTH, 8)), [list(source.heldout(ROWS, LENGTH, 8, p, 2)) for p in range(2)]
  assert len(whole) == len(parts[0]) == len(parts[1])
  same(whole[-1], {name: np.concatenate([part[-1][name] for part in parts]) for name in whole[-1]})


def test_seeds_differ_and_repeat(source):
  first, again, other = (next(source.train(ROWS, LENGTH, 8, seed=s))['tokens_BT'] for s in (3, 3, 4))
  assert (first == again).all() and (first != other).any()


def test_heldout_can_be_read_again(source):
  heldout = source.heldout(ROWS, LENGTH, 8)
  first = list(heldout)
  assert len(first) == len(heldout) > 1
  for a, b in zip(first, heldout):
    same(a, b)
  assert first[0]['reset_BT'][:, 0].all()


def test_a_fresh_process_goes_on_where_another_stopped():
  # Recall: a process of its own draws the same batch from one number.
  source = data.make(SOURCES[0])
  iterator = source.train(ROWS, LENGTH, seed=5)
  take(iterator, 3)
  script = (f'import json; from latentmem import data; source = data.make({SOURCES[0]!r}); '
            f'it = source.train({ROWS}, {LENGTH}, seed=5, start=3); print(json.dumps(next(it)["tokens_BT"].tolist()))')
  root = pathlib.Path(__file__).parents[2]
  done = subprocess.run([sys.executable, '-c', script], cwd=root, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout) == next(iterator)['tokens_BT'].tolist()


@pytest.mark.parametrize('rows, shard, shards', [(4, 0, 3), (0, 0, 1), (4, 2, 2), (4, -1, 2)])
def test_rows_that_cannot_be_shared_are_refused(rows, shard, shards):
  with pytest.raises(InputError, match='multiple of the processes'):
    pipeline.share(rows, shard, shards)


@pytest.mark.parametrize('length, align', [(100, 64), (0, 1), (32, 64)])
def test_a_chunk_that_does_not_divide_the_length_is_refused(length, align):
  with pytest.raises(InputError, match=f'{length} tokens is not a multiple of {align}.*would do'):
    data.make(SOURCES[2]).train(ROWS, length, align)
