"""Bits per byte are as defined, whole and by position."""

import math

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError


def batch(seed=0, rows=3, length=40, sizes=False):
  rng = np.random.default_rng(seed)
  out = dict(weights_BT=(rng.random((rows, length)) < 0.8).astype(np.float32), reset_BT=np.zeros((rows, length), bool),
             position_BT=rng.integers(0, 12000, (rows, length)), targets_BT=np.zeros((rows, length), int))
  if sizes:
    out['bytes_BT'] = rng.integers(0, 5, (rows, length)).astype(np.float32)
  return out, rng.random((rows, length)) * 5


@pytest.mark.parametrize('sizes', [False, True])
def test_bits_are_as_defined(sizes):
  scorer = tasks.make('text').scorer()
  seen = []
  for seed in range(3):
    b, nats = batch(seed, sizes=sizes)
    scorer.add(b, nats)
    size = b.get('bytes_BT', np.ones_like(nats))
    flat = (a.ravel() for a in (b['position_BT'], nats, size, b['weights_BT']))
    seen += [(p, n, s) for p, n, s, w in zip(*flat) if w]
  bits = lambda rows: sum(n for _, n, _ in rows) / math.log(2) / sum(s for _, _, s in rows)
  result = scorer.result()
  assert result['bits_per_byte'] == pytest.approx(bits(seen), rel=1e-12)
  assert result['loss'] == pytest.approx(sum(n for _, n, _ in seen) / len(seen), rel=1e-12)
  assert result['tokens'] == len(seen) and result['bytes'] == sum(s for _, _, s in seen)
  bins = {'0-512': (0, 512), '512-1024': (512, 1024), '1024-2048': (1024, 2048), '2048-4096': (2048, 4096),
          '4096-8192': (4096, 8192), '8192-': (8192, 10 ** 9)}
  want = {name: bits(rows) for name, (a, z) in bins.items() if (rows := [r for r in seen if a <= r[0] < z])}
  assert result['by_position'] == pytest.approx(want, rel=1e-12) and list(result['by_position']) == list(want)


def test_merged_scores_are_those_of_all():
  whole, parts = tasks.make('text').scorer(), [tasks.make('text').scorer() for _ in range(2)]
  for seed, part in enumerate(parts):
    b, nats = batch(seed)
    whole.add(b, nats)
    part.add(b, nats)
  assert parts[0].merge(parts[1].totals()).result() == whole.result()


def test_a_bin_edge_belongs_to_the_next_bin():
  scorer = tasks.make('text').scorer()
  b = dict(weights_BT=np.ones((1, 2)), position_BT=np.asarray([[511, 512]]))
  scorer.add(b, np.asarray([[math.log(2), math.log(4)]]))
  assert scorer.result()['by_position'] == {'0-512': pytest.approx(1), '512-1024': pytest.approx(2)}


def test_unscored_nonsense_counts_for_nothing():
  scorer = tasks.make('text').scorer()
  b = dict(weights_BT=np.asarray([[0.0, 1.0]]), position_BT=np.zeros((1, 2), int))
  scorer.add(b, np.asarray([[np.inf, math.log(2)]]))
  assert scorer.result()['bits_per_byte'] == pytest.approx(1)


def test_nothing_read_has_no_score():
  assert tasks.make('text').scorer().result() == dict(bits_per_byte=None, by_position={}, loss=None, tokens=0, bytes=0)


def test_edges_that_do_not_rise_are_refused():
  with pytest.raises(InputError, match='rising'):
    tasks.make('text', edges=(512, 512))
