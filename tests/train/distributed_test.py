"""Several processes train as one: the same records, and a run that any number of them can go on with."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from latentmem.base import records
from latentmem.train import checkpoint
from tests.train import small

ROOT = pathlib.Path(__file__).parents[2]


def together(workdir, leave=-1, processes=2, devices=2, mesh=4, sequence=1, enough=0.0):
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  script = ROOT / 'tests/train/one_of_several.py'
  command = lambda i: [sys.executable, *map(str, (script, workdir, port, i, processes, devices, leave, mesh, sequence,
                                                   enough))]
  env = dict(os.environ, JAX_PLATFORMS='cpu', PYTHONPATH=str(ROOT))
  start = lambda i: subprocess.Popen(command(i), cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
  all_of_them = [start(i) for i in range(processes)]
  said = [process.communicate(timeout=500)[0] for process in all_of_them]
  assert not any(process.returncode for process in all_of_them), '\n'.join(said)


@pytest.mark.multiprocess
def test_two_processes_equal_one_and_resume_exactly(tmp_path):
  together(tmp_path / 'two')
  together(tmp_path / 'stopped', leave=7)
  together(tmp_path / 'stopped')
  two, stopped = records.read(tmp_path / 'two'), records.read(tmp_path / 'stopped')
  assert small.untimed(two.metrics()) == small.untimed(stopped.metrics())
  assert small.same(checkpoint.load_params(two.path)[1], checkpoint.load_params(stopped.path)[1])
  one, _ = small.run(tmp_path / 'one', small.config(mesh=4))
  loss = lambda run: [line['loss'] for line in run.metrics('train')]
  # Float32 sums over other groups of rows.
  np.testing.assert_allclose(loss(two), loss(one), rtol=1e-3)
  assert two.metrics('heldout')[-1]['examples'] == one.metrics('heldout')[-1]['examples'] == 16


@pytest.mark.multiprocess
def test_all_end_with_enough_and_train_no_more(tmp_path):
  for _ in range(2):
    together(tmp_path / 'two', enough=1e-3)
    two = records.read(tmp_path / 'two')
    *before, last = two.metrics('heldout')
    assert not any(line['accuracy'] for line in before) and last['accuracy'] > 0 and last['step'] < 12
    assert checkpoint.steps_in(two.checkpoints)[-1] == last['step'] == two.metrics('train')[-1]['step']


@pytest.mark.multiprocess
def test_rows_may_lie_across_processes(tmp_path):
  together(tmp_path / 'two', processes=2, devices=1, mesh=1, sequence=2)
  two = records.read(tmp_path / 'two')
  one, _ = small.run(tmp_path / 'one', small.config())
  loss = lambda run: [line['loss'] for line in run.metrics('train')]
  np.testing.assert_allclose(loss(two), loss(one), rtol=1e-3)
  assert two.metrics('heldout')[-1]['examples'] == one.metrics('heldout')[-1]['examples'] == 16
  assert two.metrics('heldout')[-1]['accuracy'] == pytest.approx(one.metrics('heldout')[-1]['accuracy'], abs=0.1)


@pytest.mark.multiprocess
def test_other_numbers_of_processes_go_on_with_the_same_batches(tmp_path):
  together(tmp_path / 'whole')
  for leave, processes, devices in ((5, 2, 2), (9, 1, 4), (-1, 4, 1)):
    together(tmp_path / 'moved', leave, processes, devices)
  whole, moved = records.read(tmp_path / 'whole'), records.read(tmp_path / 'moved')
  loss = lambda run: [line['loss'] for line in run.metrics('train')]
  np.testing.assert_allclose(loss(moved), loss(whole), rtol=1e-6)
  params = [jax.tree.leaves(checkpoint.load_params(run.path)[1]) for run in (whole, moved)]
  for one, other in zip(*params):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
