"""A step is compiled for machines that are not there."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

SMALL = ['--config.model.width=32', '--config.model.layers=2', '--config.train.rows=8', '--config.train.length=64']


def planned(*arguments, cwd):
  environment = os.environ | dict(JAX_PLATFORMS='cpu')
  command = [sys.executable, '-m', 'launch.plan', *arguments]
  return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.aot
@pytest.mark.skipif(importlib.util.find_spec('libtpu') is None, reason="needs pip install -e '.[plan]'")
def test_a_plan_is_a_table_a_record_and_a_figure(tmp_path, pytestconfig):
  told = planned('--config=configs/lm.py:mag,size=170m', '--topology=v5e:2x2', *SMALL, '--config.mesh.tensor=2',
                 '--config.model.vocab=128', f'--out={tmp_path}/plan', cwd=pytestconfig.rootpath)
  assert told.returncode == 0, told.stderr[-2000:]
  assert 'best: data=1 fsdp=2 tensor=2 remat=full rows=8' in told.stdout
  record = json.loads((tmp_path / 'plan.json').read_text())
  plan, = record['plans']
  assert plan['fits'] and plan['moved']['all-reduce'] > 0 and plan['held']['activations'] > 0
  assert plan['seconds']['compute'] == pytest.approx(plan['flops'] / 4 / 197e12)
  assert (tmp_path / 'plan.png').read_bytes().startswith(b'\x89PNG')


def test_a_topology_that_is_none_is_refused(tmp_path, pytestconfig):
  told = planned('--config=configs/lm.py:mag,size=170m', '--topology=v7e:2x2', cwd=pytestconfig.rootpath)
  assert told.returncode == 2 and "error: there is no chip 'v7e'" in told.stderr and not told.stdout
