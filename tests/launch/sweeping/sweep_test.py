"""A sweep runs what has not ended, survives being stopped, and refuses to become another."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from launch.sweeping import local, slurm, sweep
from tests.launch.commands import launch

ROOT = pathlib.Path(__file__).parents[3]
HEAD = 'from launch.sweeping import plans\n\ndef get_sweep():\n  return '
TINY = "dict(config='tests/train/tiny_config.py', **{'train.evaluate_every': 0, 'train.telemetry_every': 0, "


def written(tmp_path, runs) -> str:
  path = tmp_path / 'sweep_file.py'
  path.write_text(HEAD + runs)
  return str(path)


def test_two_runs_a_failed_one_and_the_same_again(tmp_path):
  file = written(tmp_path, f"[{TINY}'train.steps': 3, 'seed': seed}}) for seed in (0, 1)] + "
                           f"[{TINY}'seed': -1}}, name='bad')]")
  flags = (f'--sweep={file}', f'--workdir={tmp_path / "runs"}', '--parallel=2')
  done = launch('sweep', *flags)
  assert done.returncode == 1, done.stderr
  assert '3 runs, 0 of them done' in done.stdout and 'bad failed: error: ' in done.stdout
  names = [job.name for job in sweep.load(file)]
  assert names[0] == 'tiny_config-evaluate_every=0-telemetry_every=0-steps=3-seed=0' and names[2] == 'bad'
  results = [records.read(tmp_path / 'runs' / name).result for name in names[:2]]
  assert [result['seed'] for result in results] == [0, 1]
  again = launch('sweep', *flags)
  assert '3 runs, 2 of them done' in again.stdout and again.returncode == 1
  assert [records.read(tmp_path / 'runs' / name).result for name in names[:2]] == results
  written(tmp_path, f"[{TINY}'train.steps': 4, 'seed': 0}}, name='{names[0]}')]")
  changed = launch('sweep', *flags)
  assert changed.returncode == 2 and f'has {names[0]} as' in changed.stderr


def test_what_runs_is_saved_when_the_sweep_is_stopped(tmp_path):
  file = written(tmp_path, f"[{TINY}'train.steps': 100000}}, name='long')]")
  command = [sys.executable, '-m', 'launch.sweep', f'--sweep={file}', f'--workdir={tmp_path / "runs"}']
  process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ, JAX_PLATFORMS='cpu'), text=True,
                             stdout=subprocess.PIPE)
  job, = sweep.load(file)
  while sweep.status(tmp_path / 'runs', job).step < 3:
    assert process.poll() is None
    time.sleep(0.1)
  process.send_signal(signal.SIGTERM)
  said, _ = process.communicate(timeout=120)
  assert process.returncode == 0 and 'the same command goes on' in said
  at = sweep.status(tmp_path / 'runs', job)
  assert at.state == 'begun' and (tmp_path / 'runs' / 'long' / 'checkpoints' / str(at.step)).is_dir()


@pytest.mark.parametrize('runs, said', [
    ("[dict(config='configs/recall.py', **{'model.widht': 3})]", "no field 'widht' in model .did you mean 'width'"),
    ("[dict(config='configs/recall.py', **{'model.width': 'wide'})]", "model.width cannot be 'wide'"),
    ("[dict(seed=1)]", 'no field `config`'), ('[]', 'has no runs'),
    ("[dict(config='configs/no.py')]", 'configs/no.py cannot be read'),
    ("[dict(config='configs/recall.py')] * 2", 'several runs called recall')])
def test_sweeps_that_cannot_be_run_are_refused(tmp_path, runs, said):
  with pytest.raises(InputError, match=said):
    sweep.load(written(tmp_path, runs))


def test_a_file_that_is_none_is_refused():
  with pytest.raises(InputError, match='There is no sweep nowhere.py'):
    sweep.load('nowhere.py')


def test_the_shipped_sweep_is_whole():
  jobs = sweep.load(str(ROOT / 'configs/sweeps/small.py'))
  assert len({job.name for job in jobs}) == 24
  assert {job.config for job in jobs} == {'configs/quickstart.py:none', 'configs/quickstart.py:titans'}


def test_flags_are_as_a_config_reads_them():
  job = sweep.Job('a', 'c.py', {'model.scan': True, 'data.task.hops': (3, 4), 'train.learning_rate': 3e-4})
  assert job.command(pathlib.Path('runs'))[3:] == [
      '--config=c.py', '--workdir=runs/a', '--config.model.scan=true', '--config.data.task.hops=(3, 4)',
      '--config.train.learning_rate=0.0003']


def test_a_table_has_a_line_a_run():
  jobs = [sweep.Job(name, 'c.py', {}) for name in ('one', 'two', 'three')]
  stands = [sweep.Status('done', 10, 1.5, 7.0), sweep.Status('begun', 4, 2.25, 3.0), sweep.Status('waiting')]
  lines = sweep.table(jobs, stands, {'two'}, {'three': 'error: no'}).splitlines()
  assert [line.split()[1] for line in lines] == ['done', 'running', 'failed'] and '1.500 bits' in lines[0]


def test_a_sweep_runs_once_at_a_time(tmp_path):
  file = written(tmp_path, f"[{TINY}'train.steps': 1}}, name='one')]")
  holder = 'import sys; from latentmem.base import records\nwith records.held(sys.argv[1]): print(flush=True); input()'
  with subprocess.Popen([sys.executable, '-c', holder, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        cwd=ROOT) as other:
    other.stdout.readline()
    done = launch('sweep', f'--sweep={file}', f'--workdir={tmp_path}')
    other.communicate(b'\n')
  assert done.returncode == 2 and f'Another process is writing to {tmp_path}' in done.stderr


def test_units_are_dealt_out():
  assert local.dealt(['0', '1', '2'], 2, 'GPUs') == [['0', '2'], ['1']] and local.dealt([], 2, 'GPUs') == [[], []]
  with pytest.raises(InputError, match='parallel=3 is more than the 2 cores'):
    local.dealt([0, 1], 3, 'cores')


def test_gpus_are_those_that_may_be_used(tmp_path):
  for name in ('nvidia0', 'nvidia1', 'nvidia10', 'nvidiactl'):
    (tmp_path / name).touch()
  assert local.gpus({}, tmp_path) == ['0', '1', '10'] and local.gpus({}, tmp_path / 'none') == []
  assert local.gpus(dict(CUDA_VISIBLE_DEVICES='3,GPU-5'), tmp_path) == ['3', 'GPU-5']
  assert local.gpus(dict(CUDA_VISIBLE_DEVICES='3', JAX_PLATFORMS='cpu'), tmp_path) == []


def test_the_last_line_of_a_log_is_its_error(tmp_path):
  log = tmp_path / 'a.log'
  log.write_text('step 1\nerror: no such thing\nbye\n\n')
  assert local.last_line(log) == 'error: no such thing'
  assert local.last_line(log, start=len('step 1\nerror: no such thing\n')) == 'bye'


def test_parameters_for_slurm():
  assert slurm.parameters(['timeout_min=60', 'slurm_partition=gpu']) == dict(timeout_min=60, slurm_partition='gpu')
  with pytest.raises(InputError, match='NAME=VALUE'):
    slurm.parameters(['gpu'])


@pytest.mark.multiprocess
def test_an_array_runs_every_job(tmp_path, monkeypatch):
  pytest.importorskip('submitit')
  monkeypatch.chdir(ROOT)
  jobs = sweep.load(written(tmp_path, f"[{TINY}'train.steps': 2, 'seed': seed}}) for seed in (0, 1)]"))
  sweep.begin(tmp_path / 'runs', jobs)
  told = slurm.submit(jobs, tmp_path / 'runs', 2, dict(timeout_min=5), cluster='local')
  for job in told:
    job.result()
  assert [sweep.status(tmp_path / 'runs', job).state for job in jobs] == ['done', 'done']
  assert json.loads((tmp_path / 'runs' / 'sweep.json').read_text()).keys() == {job.name for job in jobs}
