"""The bench measures by turns, records failures, and compares only what both finished."""

import functools
import json
import os
import sys

import jax
import numpy as np
import pytest

from latentmem import data
from latentmem.base.errors import InputError
from latentmem.study import bench_figure, figures
from launch.benchmarks import bank, layer, memory, qwen3, recurrence, sessions, storage, thinking, transformers
from tests.checks import assert_close
from tests.launch.commands import launch
from tests.session.live import network, shaken
from tests.train import small

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


def test_a_suite_takes_all_of_its_flags(tmp_path):
  done = launch('bench', '--suite=absorb', '--people=2', '--steps=3', f'--out={tmp_path / "x"}')
  assert done.returncode == 2 and '--workdir is missing' in done.stderr


def test_a_bank_is_measured_beside_its_bytes(tmp_path):
  record = bank.run([1000], repeats=3, folder=tmp_path, told=lambda line: None)
  row, = record['rows']
  assert row['bytes'] == 4000 and len(row['shares']) == 3
  assert {name: len(each) for name, each in row['parts'].items()} == dict(write=3, read=3, put=3, get=3)
  np.testing.assert_allclose(row['seconds']['bank'], np.add(row['parts']['put'], row['parts']['get']))
  assert row['share'] == np.median(row['seconds']['raw']) / np.median(row['seconds']['bank'])
  assert not os.listdir(tmp_path)
  json.dumps(record)
  assert figures.png(bench_figure.draw(record)).startswith(b'\x89PNG')


def test_raw_bytes_are_all_of_the_state(tmp_path):
  parts = bank.state(1000)
  assert len(parts) == bank.ARRAYS
  bank.write_raw(tmp_path / 'raw', parts)
  assert bank.read_raw(tmp_path / 'raw').tobytes() == b''.join(part.tobytes() for part in parts.values())


@pytest.fixture(scope='module')
def corpus_run(tmp_path_factory):
  """A run folder of a model with a Titans memory, trained on texts for a few steps."""
  folder = tmp_path_factory.mktemp('storage')
  (folder / 'texts').mkdir()
  rng = np.random.default_rng(0)
  for i in range(30):
    words = rng.choice(['one', 'two', 'three', 'four', 'five'], 60)
    (folder / 'texts' / f'{i}.txt').write_text(' '.join(words))
  config = small.config(model_fields=dict(compose=dict(kind='mag', heads=2, window=8),
                                          memory=dict(kind='titans', heads=2, chunk=8, depth=1)),
                        length=32, steps=4, telemetry_every=0, evaluate_every=0)
  config['data'] = data.fields(dict(kind='corpus', corpus=f'files:{folder / "texts"}', tokens='bytes'))
  return small.run(folder / 'run', config)[0].path


def test_storage_is_measured_by_how_a_text_goes_on(corpus_run):
  said = []
  record = storage.run(str(corpus_run), [100], rows=2, told=said.append)
  rows = {(row['what'], row['storage']): row for row in record['rows']}
  assert len(rows) == len(said) == 9
  for what in ('memory', 'carry'):
    exact, int8 = rows[what, 'exact'], rows[what, 'int8']
    assert exact['change'] == 0 and exact['bytes'] == exact['of'] and not exact['relative_rms']
    assert int8['bytes'] < exact['bytes'] / 3 and 0 < abs(int8['change']) < 0.05
    assert set(int8['relative_rms']) and all(0 <= error < 0.1 for error in int8['relative_rms'].values())
  assert rows['memory', 'exact']['of'] < rows['carry', 'exact']['of']
  assert abs(rows['carry', storage.FORGOTTEN]['change']) > abs(rows['carry', 'int8']['change'])
  json.dumps(record)
  assert figures.png(bench_figure.draw(record)).startswith(b'\x89PNG')


def test_storage_goes_on_as_one_reading_would(corpus_run):
  """A carry that was exactly stored scores the second part as a model does that reads without stopping."""
  from latentmem import model
  from latentmem.train import checkpoint
  record = storage.run(str(corpus_run), [100], rows=2, told=lambda line: None)
  config, params = checkpoint.load_params(str(corpus_run))
  it, source = model.make(**config['model']), data.make(config['data'])
  tokens_BT, sizes_BT = storage.documents(source, 2, 100)
  assert sizes_BT.sum() == tokens_BT.size
  _, logits_BTV = jax.jit(functools.partial(it.apply, method='first'))(params, tokens_BT[:, :-1])
  nats_BT = -np.take_along_axis(jax.nn.log_softmax(logits_BTV), tokens_BT[:, 1:, None], -1)[..., 0]
  half = 50 - storage.SHORT
  np.testing.assert_allclose(record['rows'][0]['bits_per_byte'], nats_BT[:, half:].mean() / np.log(2), rtol=1e-4)


def test_storage_wants_texts_that_are_long_enough(corpus_run, tmp_path):
  with pytest.raises(InputError, match='holds out [0-9]+ documents of more than 5000 tokens, not 2'):
    storage.run(str(corpus_run), [5000], rows=2)
  run, _ = small.run(tmp_path / 'run', small.config(steps=1))
  with pytest.raises(InputError, match='a run that was trained on a corpus'):
    storage.run(str(run.path), [100], rows=2)


def test_sessions_are_measured_batched_and_alone_and_their_streams_compared(monkeypatch):
  monkeypatch.setattr(sessions, 'ALONE', 4)
  monkeypatch.setattr(sessions, 'COMPARED', 6)
  net = network(layers=1, scan=False, memory=dict(kind='linear', heads=2, chunk=4))
  record = sessions.run([3], repeats=2, made=lambda: (net, shaken(net)), told=lambda line: None)
  row, = record['rows']
  assert row['equal_streams'] == row['length'] == 3 and row['bytes_per_session'] > 0
  for kind in ('seconds', 'cores'):
    assert {name: len(each) for name, each in row[kind].items()} == dict(alone=2, batched=2)
  json.dumps(record)
  axes, = bench_figure.draw(record).axes
  assert [len(line.get_xdata()) for line in axes.lines] == [1, 1] and figures.png(axes.figure)


def test_a_peer_that_is_not_there_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)
  with pytest.raises(InputError, match='needs torch and transformers'):
    transformers.run()


def test_every_shape_is_in_the_figure():
  found = dict(off=1e-7, largest=2e-7, bfloat16=dict(ours=0.01, theirs=0.02))
  rows = [dict(what=name) | found for name in transformers.SHAPES]
  axes, = bench_figure.draw(dict(suite='transformers', limit=transformers.LIMIT, rows=rows)).axes
  assert [label.get_text() for label in axes.get_xticklabels()] == list(transformers.SHAPES)
  assert [line.get_label() for line in axes.lines][2:4] == ['bfloat16', 'bfloat16, transformers']
