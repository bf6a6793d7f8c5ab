"""Runs a list of configs, and goes on with it where it stopped.

  python -m launch.sweep --sweep=configs/sweeps/small.py --workdir=runs/small --parallel=2
  python -m launch.sweep --sweep=configs/sweeps/small.py --workdir=runs/small --to=slurm --slurm=timeout_min=60

Every run is a folder in --workdir, with its log beside it. The same command again runs what has not ended; SIGTERM and
Ctrl-C save all that runs. `python -m launch.fit --runs=WORKDIR` reads what came of it.
"""

import pathlib
import signal
import sys
import time

from absl import flags

from latentmem.base import records
from latentmem.base.errors import InputError
from launch import shell
from launch.sweeping import local, slurm, sweep

_SWEEP = flags.DEFINE_string('sweep', None, 'A file with get_sweep, as configs/sweeps/small.py.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the sweep.')
_PARALLEL = flags.DEFINE_integer('parallel', 1, 'Runs at once.', lower_bound=1)
_TO = flags.DEFINE_enum('to', 'local', ['local', 'slurm'], 'Where runs run.')
_SLURM = flags.DEFINE_list('slurm', [], 'NAME=VALUE for submitit, as in timeout_min=120,slurm_partition=gpu.')
_DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Only print the commands.')

EVERY = 2.0


def main() -> int:
  for flag in (_SWEEP, _WORKDIR):
    if not flag.value:
      raise InputError(f'--{flag.name} is missing.')
  jobs, folder = sweep.load(_SWEEP.value), pathlib.Path(_WORKDIR.value)
  if _DRY_RUN.value:
    print('\n'.join(' '.join(job.command(folder)) for job in jobs))
    return 0
  given = slurm.parameters(_SLURM.value)
  sweep.begin(folder, jobs)
  with records.held(folder):
    return _go(jobs, folder, given)


def _go(jobs, folder, given) -> int:
  left = [job for job in jobs if sweep.status(folder, job).state != 'done']
  print(f'{len(jobs)} runs, {len(jobs) - len(left)} of them done.', flush=True)
  if _TO.value == 'slurm':
    told = slurm.submit(left, folder, _PARALLEL.value, given) if left else []
    print(f'Handed to SLURM: {", ".join(job.job_id for job in told) or "nothing"}.')
    return 0
  return _here(jobs, left, folder)


def _here(jobs, left, folder) -> int:
  """Runs all on this machine; 1 where a run failed."""
  pool, asked = local.Pool(left, folder, _PARALLEL.value), []
  for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: asked.append(True))
  show = _Shown(jobs, folder, pool)
  try:
    while pool.busy and not asked:
      show(pool.turn())
      time.sleep(EVERY if pool.running else 0)
  finally:
    pool.stop()
  if asked:
    print('\nStopped; the same command goes on.')
    return 0
  show([], last=True)
  for name, said in pool.failed.items():
    print(f'{name} failed: {said} (all of it in {folder / name}.log)')
  return 1 if pool.failed else 0


class _Shown:
  """The table, drawn again and again on a terminal; elsewhere a line for each run that ends, and the table last."""

  def __init__(self, jobs, folder, pool):
    self.jobs, self.folder, self.pool, self.lines = jobs, folder, pool, 0

  def __call__(self, ended, last=False):
    if not (sys.stdout.isatty() or ended or last):
      return
    stands = [sweep.status(self.folder, job) for job in self.jobs]
    text = sweep.table(self.jobs, stands, set(self.pool.running), self.pool.failed)
    if sys.stdout.isatty():
      print(f'\033[{self.lines}F\033[J' * bool(self.lines) + text, flush=True)
      self.lines = text.count('\n') + 1
    elif last:
      print(text)
    else:
      print('\n'.join(line for job, line in zip(self.jobs, text.splitlines()) if job.name in ended), flush=True)


if __name__ == '__main__':
  shell.run(main)
