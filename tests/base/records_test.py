"""A run's folder is written whole or not at all, and says what it is not."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from tests import full_disk


@pytest.fixture
def run(tmp_path):
  return records.create(tmp_path / 'run', dict(seed=0, train=dict(steps=3)))


@pytest.fixture
def small_files():
  with full_disk.small_files(1000):
    yield


def test_a_config_comes_back_as_it_was(run):
  assert records.read(run.path).config == dict(seed=0, train=dict(steps=3))


def test_the_same_config_opens_the_folder_again(run):
  assert records.create(run.path, dict(seed=0, train=dict(steps=3))).path == run.path


def test_a_field_that_came_later_is_at_its_default(run):
  filled = lambda config: dict(config, train=dict(rows=8) | config['train'])
  later = lambda rows: records.create(run.path, dict(seed=0, train=dict(steps=3, rows=rows)), filled)
  assert later(8).config == dict(seed=0, train=dict(steps=3))
  with pytest.raises(InputError, match='train.rows: 8 there, 9 asked for'):
    later(9)


def test_a_config_that_cannot_be_filled_is_compared_as_it_is(run):
  def filled(config):
    raise InputError('steps is no field any more')
  with pytest.raises(InputError, match='train.rows: absent there, 8 asked for'):
    records.create(run.path, dict(seed=0, train=dict(steps=3, rows=8)), filled)


def test_another_config_is_refused_by_its_field(run):
  with pytest.raises(InputError, match=r'train.steps: 3 there, 4 asked for'):
    records.create(run.path, dict(seed=0, train=dict(steps=4)))
  assert run.config['train'] == dict(steps=3)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
  (tmp_path / 'thesis.tex').write_text('years of work')
  with pytest.raises(InputError, match='no run folder'):
    records.create(tmp_path, {})
  with pytest.raises(InputError, match='no config.json'):
    records.read(tmp_path)
  with pytest.raises(InputError, match='There is no folder'):
    records.read(tmp_path / 'other')


def test_lines_are_read_in_order_and_by_split(run):
  run.append(1, 'train', loss=2.0)
  run.append(1, 'heldout', accuracy=np.float32(0.5))
  assert run.metrics() == [dict(step=1, split='train', loss=2.0), dict(step=1, split='heldout', accuracy=0.5)]
  assert run.metrics('heldout') == [dict(step=1, split='heldout', accuracy=0.5)]


def test_numbers_that_are_not_finite_are_null(run):
  run.append(1, 'train', loss=float('nan'), by=[np.inf, 1.0], array=np.array([np.nan, 2.0]))
  line = (run.path / 'metrics.jsonl').read_text()
  strict = json.loads(line, parse_constant=lambda c: pytest.fail(f'{c} is not JSON'))
  assert strict == dict(step=1, split='train', loss=None, by=[None, 1.0], array=[None, 2.0])


def test_a_torn_last_line_is_as_good_as_none(run):
  run.append(1, 'train', loss=2.0)
  run.append(2, 'train', loss=1.0)
  path = run.path / 'metrics.jsonl'
  path.write_bytes(path.read_bytes()[:-5])
  assert [line['step'] for line in run.metrics()] == [1]
  run.rewind(2)
  run.append(2, 'train', loss=1.5)
  assert [line.get('loss') for line in run.metrics()] == [2.0, 1.5]


def test_rewinding_forgets_what_came_after(run):
  for step in (1, 2, 3):
    run.append(step, 'train', loss=step / 7)
  before = (run.path / 'metrics.jsonl').read_text().splitlines()
  run.rewind(2)
  assert (run.path / 'metrics.jsonl').read_text().splitlines() == before[:2]


def test_a_full_disk_leaves_what_was_there(run, small_files):
  run.write('result.json', dict(score=1))
  with pytest.raises(InputError, match='no space left.*result.json'):
    run.write('result.json', dict(scores=list(range(1000))))
  assert run.result == dict(score=1)
  assert sorted(os.listdir(run.path)) == ['config.json', 'result.json']


def test_a_full_disk_leaves_no_half_line(run, small_files):
  for step in range(10):
    run.append(step, 'train', loss=1.0)
  with pytest.raises(InputError, match='no space left.*metrics.jsonl'):
    run.append(10, 'train', loss=[1.0] * 200)
  assert (run.path / 'metrics.jsonl').read_bytes().endswith(b'}\n')
  assert len(run.metrics()) == 10


def test_a_write_that_fails_halfway_leaves_the_old_file(run, monkeypatch):
  run.write('result.json', dict(score=1))
  monkeypatch.setattr(os, 'fsync', lambda _: (_ for _ in ()).throw(OSError(5, 'Input/output error')))
  with pytest.raises(OSError, match='Input/output'):
    run.write('result.json', dict(score=2))
  assert run.result == dict(score=1)
  assert sorted(os.listdir(run.path)) == ['config.json', 'result.json']


def test_a_full_disk_is_seen_through_other_errors():
  try:
    try:
      raise OSError(28, os.strerror(28))
    except OSError as error:
      raise ValueError('write failed') from error
  except ValueError as error:
    assert records.is_full_disk(error)
  assert records.is_full_disk(ValueError(f'RESOURCE_EXHAUSTED: {os.strerror(28)}'))
  assert not records.is_full_disk(ValueError('something else'))


def test_differences_name_every_field_in_either():
  found = list(records.differences(dict(a=1, b=dict(c=2, d=3)), dict(a=1, b=dict(c=4), e=5)))
  assert found == [('b.c', 2, 4), ('b.d', 3, 'absent'), ('e', 'absent', 5)]


def test_a_broken_file_is_named(run):
  (run.path / 'result.json').write_text('{"score":')
  with pytest.raises(InputError, match='result.json is not JSON'):
    _ = run.result


def test_what_a_run_ran_on_is_on_record():
  import jax
  machine = records.machine(jax.devices())
  assert machine['devices'] == 8 and machine['cores'] >= 1
  assert records.versions()['jax'] == jax.__version__
  assert records.commit() is None or len(records.commit().rstrip('+')) == 40


def test_a_folder_is_held_by_one_process(run):
  held = ('import sys\nfrom latentmem.base import errors, records\ntry:\n  with records.held(sys.argv[1]):\n    pass\n'
          'except errors.InputError as error:\n  sys.exit(str(error))')
  other = lambda: subprocess.run([sys.executable, '-c', held, run.path], capture_output=True, text=True)
  with records.held(run.path):
    assert f'Another process is writing to {run.path}' in other().stderr
  assert other().returncode == 0
