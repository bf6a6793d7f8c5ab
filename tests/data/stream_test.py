"""Documents lie in rows whole, where chunks start, each once an epoch; padding is padding."""

import collections

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.data import stream

SIZES = [1, 2, 3, 9, 17, 18, 30, 64, 65, 100, 7, 41, 5, 26, 33, 12]


def documents(sizes=SIZES, bytes_of=None):
  """Document d holds the tokens 1000 d, 1000 d + 1, ..."""
  tokens = [1000 * d + np.arange(n) for d, n in enumerate(sizes)]
  return stream.Documents(np.concatenate(tokens), np.cumsum(sizes), bytes_of and bytes_of(np.concatenate(tokens)))


def read(laid, rows, steps):
  """Rows end to end: each name [rows, steps * length]."""
  found = [[laid(step, b) for step in range(steps)] for b in range(rows)]
  return {name: np.stack([np.concatenate([x[name] for x in row]) for row in found]) for name in found[0][0]}


def runs(out):
  """Row by row, what lies from one reset to the next: dicts of arrays."""
  for b in range(len(out['tokens_BT'])):
    edges = [*np.flatnonzero(out['reset_BT'][b]), out['tokens_BT'].shape[1]]
    for a, z in zip(edges[:-1], edges[1:]):
      yield a, {name: array[b, a:z] for name, array in out.items()}


@pytest.mark.parametrize('align', [1, 4, 16])
@pytest.mark.parametrize('rows', [1, 3])
@pytest.mark.parametrize('longest', [0, 32])
def test_every_pair_of_neighbours_is_scored_once_an_epoch(align, rows, longest):
  laid = stream.Stream(documents(), rows, 16, align, seed=3, longest=longest, epochs=2)
  out = read(laid, rows, laid.steps() + 1)
  seen = collections.Counter(zip(out['tokens_BT'][out['weights_BT'] == 1].tolist(),
                                 out['targets_BT'][out['weights_BT'] == 1].tolist()))
  want = {(1000 * d + i, 1000 * d + i + 1) for d, n in enumerate(SIZES) for i in range(n - 1)}
  assert set(seen) == want and set(seen.values()) == {2}
  assert set(out['weights_BT'].ravel().tolist()) == {0.0, 1.0}
  assert not out['tokens_BT'][out['weights_BT'] == 0].any()


@pytest.mark.parametrize('align', [1, 4, 16])
@pytest.mark.parametrize('longest', [0, 32])
def test_documents_start_where_chunks_start_and_lie_whole(align, longest):
  laid = stream.Stream(documents(), 3, 16, align, seed=1, longest=longest)
  out = read(laid, 3, 40)
  assert out['reset_BT'][:, 0].all()
  for start, run in runs(out):
    assert start % align == 0
    np.testing.assert_array_equal(run['position_BT'], np.arange(len(run['position_BT'])))
    real = int(run['weights_BT'].sum())
    np.testing.assert_array_equal(run['weights_BT'], np.arange(len(run['weights_BT'])) < real)
    np.testing.assert_array_equal(run['tokens_BT'][:real], run['tokens_BT'][0] + np.arange(real))
    np.testing.assert_array_equal(run['targets_BT'][:real], run['tokens_BT'][0] + 1 + np.arange(real))
    if start + len(run['tokens_BT']) < out['tokens_BT'].shape[1]:
      document = int(run['tokens_BT'][0]) // 1000
      left = SIZES[document] - 1 - int(run['tokens_BT'][0]) % 1000
      assert real == min(left, longest or left), 'a document is read to its end'
      assert len(run['tokens_BT']) == -(-real // align) * align, 'padding is no more than it takes'


def test_a_long_document_goes_on_in_the_next_batch_of_its_row():
  laid = stream.Stream(documents([50]), 1, 16, 8, epochs=1)
  out = [laid(step, 0) for step in range(4)]
  assert [o['tokens_BT'][0] for o in out] == [0, 16, 32, 48] and [o['position_BT'][0] for o in out] == [0, 16, 32, 48]
  assert [o['reset_BT'].sum() for o in out] == [1, 0, 0, 0] and out[3]['weights_BT'].sum() == 1


def test_any_row_of_any_step_can_be_asked_for():
  in_turn = stream.Stream(documents(), 3, 16, 4, seed=5)
  out = {(step, b): in_turn(step, b) for step in range(60) for b in range(3)}
  at_once = stream.Stream(documents(), 3, 16, 4, seed=5)
  for key in [(59, 2), (0, 1), (30, 0), (30, 2), (1, 1)]:
    for name, array in at_once(*key).items():
      np.testing.assert_array_equal(array, out[key][name])


def test_epochs_and_seeds_have_orders_of_their_own():
  laid = stream.Stream(documents(), 1, 16, seed=0)
  orders = [laid.order(0), laid.order(1), stream.Stream(documents(), 1, 16, seed=1).order(0)]
  assert len({tuple(o) for o in orders}) == 3 and all(sorted(o) == list(range(15)) for o in orders)
  np.testing.assert_array_equal(orders[0], stream.Stream(documents(), 1, 16, seed=0).order(0))


def test_rows_stay_level_within_a_document():
  laid = stream.Stream(documents(), 4, 16, 4, seed=2)
  laid.lay(3000)
  ends = [end for end, _ in laid.free]
  assert max(ends) - min(ends) <= max(SIZES)


def test_a_finite_stream_ends_in_padding():
  laid = stream.Stream(documents([20, 20]), 3, 16, 4, epochs=1)
  assert laid.steps() == 2
  out = read(laid, 3, 2)
  assert out['weights_BT'].sum() == 38 and not out['weights_BT'][2].any() and not out['reset_BT'][2].any()


def test_bytes_are_the_targets():
  laid = stream.Stream(documents(bytes_of=lambda tokens: tokens % 7), 2, 16, 4, longest=32, epochs=1)
  out = read(laid, 2, laid.steps())
  np.testing.assert_array_equal(out['bytes_BT'], np.where(out['weights_BT'] > 0, out['targets_BT'] % 7, 0))


def test_a_cut_that_does_not_fit_is_refused():
  with pytest.raises(InputError, match='30 tokens is not a multiple of 16.*16 would do'):
    stream.Stream(documents(), 1, 16, 16, longest=30)
