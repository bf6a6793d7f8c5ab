"""The bench measures by turns, records failures, and compares only what both finished."""

import functools
import json

import jax
import pytest

from latentmem.base.errors import InputError
from launch.benchmarks import layer, memory, qwen3, recurrence, thinking
from tests.checks import assert_close
from tests.launch.train_test import launch

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


def test_a_recurrence_is_measured_in_both_forms_which_do_the_same_work(monkeypatch):
  made, step = {}, recurrence.step
  monkeypatch.setattr(recurrence, 'step', lambda what, form, *sizes: made.setdefault((what, form), step(
      what, form, *sizes)))
  record = recurrence.run([64], batch=1, width=32, repeats=2, told=lambda line: None)
  assert [row['what'] for row in record['rows']] == list(recurrence.WHATS)
  for row in record['rows']:
    assert {form: len(seconds) for form, seconds in row['seconds'].items()} == dict(many=2, in_turn=2)
    assert row['times_faster'] == min(row['seconds']['in_turn']) / min(row['seconds']['many'])
  json.dumps(record)
  for what in recurrence.WHATS:
    one, other = (made[what, form]() for form in recurrence.FORMS)
    assert_close(one, other, 1e-4)


def test_thinking_is_measured_in_both_forms_which_say_the_same(monkeypatch):
  made, calls = {}, thinking.calls

  def kept(*args):
    made.update(calls(*args))
    return made
  monkeypatch.setattr(thinking, 'calls', kept)
  monkeypatch.setattr(thinking, 'thinker', functools.partial(thinking.thinker, layers=1))
  record = thinking.run([12], batch=2, heads=2, head_width=8, repeats=1, told=lambda line: None)
  assert [row['what'] for row in record['rows']] == list(thinking.WHATS)
  assert all(set(row['seconds']) == set(thinking.FORMS) for row in record['rows'])
  json.dumps(record)
  answer, thoughts = made['whole answer'], made['thoughts']
  assert_close(answer['cached'](), answer['uncached'](), 1e-4)
  assert_close(thoughts['cached']()[1].next_BND[:, 0], thoughts['uncached']()[:, -1], 1e-4)


def test_a_checkpoint_is_written_read_and_gone_on_from(monkeypatch, tmp_path):
  monkeypatch.setattr(qwen3, 'SHAPE', dict(vocab=64, width=16, layers=2, heads=4, kv_heads=2, head_width=8, hidden=32))
  qwen3.write(str(tmp_path / 'a'))
  row = qwen3.read(str(tmp_path / 'a'), 8)
  assert 0 < row['imported'] < row['loaded'] < row['first_token'] < row['second_token']
  assert len(row['token']) == qwen3.TOKENS - 2 and row['weights'] < row['before'] <= row['after_loading'] <= row['peak']
  json.dumps(row)


def test_a_process_that_fails_or_takes_too_long_is_told(tmp_path):
  with pytest.raises(InputError, match='read failed: .*config.json cannot be read'):
    qwen3._child('read', str(tmp_path), '8', limit=300)
  with pytest.raises(InputError, match='longer than --limit=0.01'):
    qwen3._child('read', str(tmp_path), '8', limit=0.01)


def test_a_flag_that_a_suite_does_not_know_is_refused(tmp_path):
  done = launch('bench', '--suite=thinking', '--chunks=16', f'--out={tmp_path / "x"}')
  assert done.returncode == 2 and "--chunks says nothing to the suite 'thinking'" in done.stderr
