"""Two processes train as one: the same records, and a run that one of them can go on with."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from latentmem.base import records
from latentmem.train import checkpoint
from tests.train import small

ROOT = pathlib.Path(__file__).parents[2]


def together(workdir, leave=-1):
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  script = ROOT / 'tests/train/one_of_two.py'
  command = lambda i: [sys.executable, *map(str, (script, workdir, port, i, leave))]
  env = dict(os.environ, JAX_PLATFORMS='cpu', PYTHONPATH=str(ROOT))
  both = [subprocess.Popen(command(i), cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
          for i in range(2)]
  said = [process.communicate(timeout=500)[0] for process in both]
  assert [process.returncode for process in both] == [0, 0], '\n'.join(said)


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
