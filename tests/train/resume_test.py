"""A run that was stopped, killed or asked to leave equals one that was not, bit for bit."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from latentmem import data
from latentmem.base import records
from latentmem.train import checkpoint
from tests.cases import slow
from tests.train import small

HOUSE = pathlib.Path(__file__).parent.parent.parent
STEPS = 200


def command(workdir):
  return [sys.executable, '-m', 'launch.train', f'--workdir={workdir}', '--config=tests/train/tiny_config.py']


def start(workdir):
  cache = str(pathlib.Path(tempfile.gettempdir()) / 'latentmem_test_cache')
  env = dict(os.environ, JAX_PLATFORMS='cpu', JAX_COMPILATION_CACHE_DIR=cache, XLA_FLAGS='',
             JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0.1')
  return subprocess.Popen(command(workdir), cwd=HOUSE, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def finish(workdir):
  process = start(workdir)
  said, _ = process.communicate(timeout=600)
  assert process.returncode == 0, said
  return said


def steps_made(workdir):
  path = workdir / 'metrics.jsonl'
  return path.read_bytes().count(b'"train"') if path.exists() else 0


def wait_for(workdir, steps, process):
  while steps_made(workdir) < steps and process.poll() is None:
    time.sleep(0.002)


def assert_equal(workdir, other):
  a, b = records.read(workdir), records.read(other)
  assert small.untimed(a.metrics()) == small.untimed(b.metrics())
  assert small.same(checkpoint.load_params(workdir)[1], checkpoint.load_params(other)[1])
  assert a.result['heldout'] == b.result['heldout'] and a.result['flops'] == b.result['flops']


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A run that nobody stopped."""
  workdir = tmp_path_factory.mktemp('whole') / 'run'
  finish(workdir)
  return workdir


@pytest.mark.parametrize('accumulate', [2, slow(1)])
def test_resumed_equals_uninterrupted(tmp_path, accumulate):
  config = small.config(accumulate=accumulate)
  one, trained = small.run(tmp_path / 'one', config)
  two, stopped = small.run(tmp_path / 'two', config, leave=7)
  assert not stopped.done and int(stopped.state.step) == 7
  two, resumed = small.run(tmp_path / 'two', config)
  assert resumed.done and small.same(trained.state, resumed.state)
  assert small.untimed(one.metrics()) == small.untimed(two.metrics())
  steps = [line['step'] for line in one.metrics('train')]
  assert steps == list(range(1, 13))
  assert [line['step'] for line in one.metrics('heldout')] == [6, 12]


@pytest.mark.slow
def test_a_text_resumed_in_the_middle_of_documents_equals_uninterrupted(tmp_path):
  texts = tmp_path / 'texts'
  texts.mkdir()
  for i in range(30):
    (texts / f'{i}.txt').write_text(f'Text number {i} tells of {i * i}. ' * (4 + i % 5))
  config = small.config('titans', model_fields=dict(compose=dict(kind='mag', heads=2, window=6)), save_every=5) | dict(
      data=data.fields(dict(kind='corpus', corpus=f'files:{texts}', tokens='bytes')))
  one, trained = small.run(tmp_path / 'one', config)
  _, stopped = small.run(tmp_path / 'two', config, leave=7)
  assert not stopped.done
  two, resumed = small.run(tmp_path / 'two', config)
  assert resumed.done and small.same(trained.state, resumed.state)
  assert small.untimed(one.metrics()) == small.untimed(two.metrics())


def test_a_run_that_has_ended_trains_no_more(tmp_path):
  run, first = small.run(tmp_path / 'run', small.config())
  before = (run.path / 'metrics.jsonl').read_bytes()
  run, again = small.run(tmp_path / 'run', small.config())
  assert again.done and small.same(first.state, again.state) and again.flops == first.flops
  assert (run.path / 'metrics.jsonl').read_bytes() == before


def test_a_killed_run_leaves_the_same_records(tmp_path, whole):
  workdir = tmp_path / 'run'
  process = start(workdir)
  wait_for(workdir, 60, process)
  process.kill()
  process.wait()
  assert 60 <= steps_made(workdir) < STEPS
  finish(workdir)
  assert_equal(whole, workdir)


def test_sigterm_saves_and_exits_0(tmp_path, whole):
  workdir = tmp_path / 'run'
  process = start(workdir)
  wait_for(workdir, 25, process)
  process.send_signal(signal.SIGTERM)
  said, _ = process.communicate(timeout=120)
  assert process.returncode == 0, said
  made = steps_made(workdir)
  assert 25 <= made < STEPS and checkpoint.steps_in(workdir / 'checkpoints')[-1] == made
  finish(workdir)
  assert_equal(whole, workdir)


@pytest.mark.slow
@pytest.mark.parametrize('seed', [0, 1])
def test_ten_kills_at_random_moments_change_nothing(tmp_path, whole, seed):
  rng, workdir, killed = random.Random(seed), tmp_path / 'run', []
  for _ in range(10):
    process = start(workdir)
    # From before the first step to the middle of saving; a run that makes STEPS steps may not end before ten kills.
    wait_for(workdir, steps_made(workdir) + rng.choice([0, 1, 1, 5, 10]), process)
    time.sleep(rng.random() * 0.3)
    process.kill()
    process.wait()
    killed.append(steps_made(workdir))
  assert process.returncode == -signal.SIGKILL and len(set(killed)) > 1, killed
  finish(workdir)
  assert_equal(whole, workdir)
  assert json.loads((workdir / 'result.json').read_text())['steps'] == STEPS
