"""Processes find each other, and none waits for one that is gone."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

import pytest

from latentmem.base import records
from latentmem.train import checkpoint
from launch import processes
from tests.launch.commands import launch
from tests.train import small

ROOT = pathlib.Path(__file__).parents[2]
TINY = ('--config=tests/train/tiny_config.py', '--config.mesh.fsdp=-1')


def start(workdir, *flags, both=()):
  """Two processes of launch.train; `flags` are of the second alone."""
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  env = dict(os.environ, JAX_PLATFORMS='cpu', XLA_FLAGS='', JAX_NUM_CPU_DEVICES='2')
  command = lambda i: [sys.executable, '-m', 'launch.train', *TINY, f'--workdir={workdir}', f'--process={i}',
                       f'--coordinator=localhost:{port}', '--processes=2', *both, *(flags if i else ())]
  return [subprocess.Popen(command(i), cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
          for i in range(2)]


def ended(pair, seconds=500):
  """What each said, and its exit code."""
  said = [process.communicate(timeout=seconds)[0] for process in pair]
  return said, [process.returncode for process in pair]


def steps_made(workdir):
  path = workdir / 'metrics.jsonl'
  return path.read_bytes().count(b'"train"') if path.exists() else 0


@pytest.mark.parametrize('environ, is_one', [
    ({}, False), (dict(SLURM_STEP_NUM_TASKS='1'), False), (dict(SLURM_STEP_NUM_TASKS='16'), True),
    (dict(OMPI_COMM_WORLD_SIZE='2'), True), (dict(TPU_WORKER_HOSTNAMES='localhost'), False),
    (dict(TPU_WORKER_HOSTNAMES='a-0,a-1'), True)])
def test_the_environment_tells(environ, is_one):
  assert processes.several(environ) == is_one


@pytest.mark.parametrize('flags, message', [
    (['--processes=2', '--process=0'], '--coordinator is missing'),
    (['--coordinator=localhost:1', '--processes=2', '--process=2'], '--process=2 is none of 2 processes'),
])
def test_flags_that_do_not_say_all_are_refused(tmp_path, flags, message):
  done = launch('train', *TINY, f'--workdir={tmp_path / "run"}', *flags)
  assert done.returncode == 2 and message in done.stderr and not (tmp_path / 'run').exists()


@pytest.mark.multiprocess
def test_another_config_is_refused_by_both_and_nothing_is_written(tmp_path):
  said, codes = ended(start(tmp_path / 'run', '--config.seed=1'))
  assert codes == [2, 2] and not (tmp_path / 'run').exists()
  assert all('process 1 of 2 differs from process 0: config.seed is 1, not 0' in text for text in said)


@pytest.mark.multiprocess
def test_an_error_in_one_ends_both(tmp_path):
  said, codes = ended(start(tmp_path / 'run', '--config.data.task.kind=recal'), seconds=100)
  assert codes[1] == 2 and "error: process 1 of 2: " in said[1] and codes[0] != 0


@pytest.mark.multiprocess
def test_sigterm_to_one_saves_and_all_exit_0(tmp_path):
  pair = start(tmp_path / 'run')
  while steps_made(tmp_path / 'run') < 3:
    assert all(process.poll() is None for process in pair), ended(pair)
    time.sleep(0.01)
  pair[1].send_signal(signal.SIGTERM)
  said, codes = ended(pair)
  assert codes == [0, 0], said
  run = records.read(tmp_path / 'run')
  assert checkpoint.good_step(run) == run.metrics('train')[-1]['step'] < 200 and run.result is None


@pytest.mark.multiprocess
def test_a_killed_process_ends_the_other_and_the_same_command_goes_on(tmp_path):
  _, codes = ended(start(tmp_path / 'whole'))
  assert codes == [0, 0]
  rng, workdir = random.Random(0), tmp_path / 'killed'
  for kill in range(10):
    pair, least = start(workdir), steps_made(workdir) + rng.randrange(1, 12)
    while steps_made(workdir) < least:
      assert all(process.poll() is None for process in pair), ended(pair)
      time.sleep(0.01)
    victim = kill % 2
    pair[victim].send_signal(signal.SIGKILL)
    begun = time.monotonic()
    said, codes = ended(pair, seconds=60)
    assert codes[1 - victim] not in (0, None), said
    assert time.monotonic() - begun < 60
  _, codes = ended(start(workdir))
  assert codes == [0, 0]
  whole, killed = records.read(tmp_path / 'whole'), records.read(workdir)
  assert small.untimed(whole.metrics()) == small.untimed(killed.metrics())
