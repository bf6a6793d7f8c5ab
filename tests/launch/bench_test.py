"""The bench measures by turns, records failures, and compares only what both finished."""

import json

import pytest

from latentmem.base.errors import InputError
from launch.benchmarks import layer, memory

SHARED = dict(batch=2, heads=2, head_width=8, depth=2, dtype='float32', repeats=1, tokens=2)


def finished(who, seconds, peak):
  return dict(who=who, what='train', length=64, chunk=16, seconds=[2 * seconds, seconds], peak=dict(host=peak),
              baseline=100, platform='cpu')


def test_ratios_are_the_peers_least_seconds_and_memory_over_ours():
  rows = [finished('latentmem', 1.0, 200), finished(memory.PEER, 4.0, 600)]
  ratio, = memory.ratios(rows)
  assert (ratio['seconds'], ratio['memory'], ratio['memory_above_start']) == (4.0, 3.0, 5.0)
  assert not memory.ratios([rows[0], dict(rows[1], failed='longer than 1 s')])
  assert not memory.ratios([dict(rows[0], platform='gpu'), rows[1]])


def test_a_chunk_that_does_not_divide_a_length_is_refused():
  with pytest.raises(InputError, match='24 does not divide'):
    list(memory.specs([64], [24], True, {}))


def test_us_and_the_peer_by_turns():
  got = [(s['who'], s['what']) for s in memory.specs([64], [16], True, SHARED)]
  both = [(who, what) for what in ('forward', 'train', 'decode') for who in ('latentmem', memory.PEER)]
  assert got == [*both, (memory.WAITING, 'decode')]


@pytest.mark.parametrize('what', ['forward', 'train', 'decode'])
def test_a_layer_is_measured(what, tmp_path):
  import jax
  before = jax.config.jax_compilation_cache_dir
  try:
    got = layer.ours(SHARED | dict(what=what, length=64, chunk=16, cache=str(tmp_path)))
  finally:
    jax.config.update('jax_compilation_cache_dir', before)
  assert len(got['seconds']) == 1 and got['seconds'][0] > 0 and got['baseline'] > 0
  assert what == 'decode' or got['flops'] > 2 * 64 * 16**2


def test_a_failure_is_a_row_that_says_why(tmp_path):
  got = memory.measure(SHARED | dict(who='nobody', what='forward', cores=1, cache=str(tmp_path)), 60)
  assert 'failed' in got
  json.dumps(got)
