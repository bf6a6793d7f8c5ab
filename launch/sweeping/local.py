"""Runs jobs on this machine, several at once, each on cores and GPUs of its own."""

import os
import pathlib
import signal
import subprocess

from latentmem.base.errors import InputError
from launch.sweeping.sweep import Job


class Pool:
  """Jobs that wait, run and have ended. Raises InputError where there is not a core, or a GPU, for each at once.

  Attributes:
    running: Processes by name.
    failed: The last line that each job said which ended badly.
  """

  def __init__(self, jobs: list[Job], folder: pathlib.Path, parallel: int):
    self.waiting, self.folder = list(jobs), folder
    self.running: dict[str, subprocess.Popen] = {}
    self.failed: dict[str, str] = {}
    self._cores, self._gpus = dealt(cores(), parallel, 'cores'), dealt(gpus(os.environ), parallel, 'GPUs')
    self._of: dict[str, int] = {}
    self._from: dict[str, int] = {}

  @property
  def busy(self) -> bool:
    return bool(self.waiting or self.running)

  def turn(self) -> list[str]:
    """Notes what has ended, begins what can be; names of those that ended."""
    ended = [name for name, process in self.running.items() if process.poll() is not None]
    for name in ended:
      if self.running.pop(name).returncode:
        self.failed[name] = last_line(self.folder / f'{name}.log', self._from[name])
      del self._of[name]
    free = [i for i in range(len(self._cores)) if i not in self._of.values()]
    for i in free[:len(self.waiting)]:
      self._begin(self.waiting.pop(0), i)
    return ended

  def stop(self) -> None:
    """Asks what runs to save and leave, and waits for it."""
    self.waiting = []
    for process in self.running.values():
      process.send_signal(signal.SIGTERM)
    for process in self.running.values():
      process.wait()

  def _begin(self, job: Job, i: int) -> None:
    mine = self._cores[i]
    settle = (lambda: os.sched_setaffinity(0, mine)) if mine else None
    environ = dict(os.environ, CUDA_VISIBLE_DEVICES=','.join(self._gpus[i])) if self._gpus[i] else None
    with open(self.folder / f'{job.name}.log', 'ab') as log:
      self._from[job.name] = log.tell()
      # A group of its own, so that Ctrl-C reaches it once, through `stop`.
      self.running[job.name] = subprocess.Popen(job.command(self.folder), stdout=log, stderr=log, preexec_fn=settle,
                                                env=environ, start_new_session=True)
    self._of[job.name] = i


def cores() -> list[int]:
  """Cores that this process may use; none where the system does not pin."""
  return sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else []


def gpus(environ, devices: pathlib.Path = pathlib.Path('/dev')) -> list[str]:
  """GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
  if environ.get('JAX_PLATFORMS') == 'cpu':
    return []
  if 'CUDA_VISIBLE_DEVICES' in environ:
    return [name for name in environ['CUDA_VISIBLE_DEVICES'].split(',') if name]
  return sorted((path.name.removeprefix('nvidia') for path in devices.glob('nvidia[0-9]*')), key=int)


def dealt(units: list, parts: int, what: str) -> list[list]:
  """Units dealt out to so many parts; none to each where there are none. Raises InputError where some get none."""
  if 0 < len(units) < parts:
    raise InputError(f'--parallel={parts} is more than the {len(units)} {what} that can be used here.')
  return [units[i::parts] for i in range(parts)]


def last_line(log: pathlib.Path, start: int = 0) -> str:
  """The last line of a job's log, from byte `start` on, that says anything; its error, where there is one."""
  lines = [line for line in log.read_bytes()[start:].decode(errors='replace').splitlines() if line.strip()]
  return next((line for line in reversed(lines) if line.startswith('error: ')), lines[-1] if lines else 'nothing')
