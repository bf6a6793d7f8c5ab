"""A sweep: named runs, the folder that keeps them, and how each stands.

  sweep.json          every run's name, config and fields
  <name>/             a run folder as launch.train leaves it
  <name>.log          what that run said
"""

import importlib.util
import json
import pathlib
import sys
from typing import NamedTuple

from latentmem.base import naming, records
from latentmem.base.errors import InputError
from launch import shell


class Job(NamedTuple):
  """One run.

  Attributes:
    name: Of its folder.
    config: FILE.py or FILE.py:choice.
    fields: What it sets anew, each as a flag has it.
  """

  name: str
  config: str
  fields: dict[str, object]

  def command(self, folder: pathlib.Path) -> list[str]:
    """What runs it."""
    return [sys.executable, '-m', 'launch.train', f'--config={self.config}', f'--workdir={folder / self.name}',
            *(f'--config.{name}={as_flag(value)}' for name, value in self.fields.items())]


def as_flag(value) -> str:
  return json.dumps(value) if isinstance(value, (list, dict, bool)) else str(value)


def load(path: str) -> list[Job]:
  """The runs of a file with `get_sweep`. Raises InputError for fields that no config has, and for names twice."""
  spec = importlib.util.spec_from_file_location('sweep_file', path) if pathlib.Path(path).is_file() else None
  if spec is None or spec.loader is None:
    raise InputError(f'There is no sweep {path}; it is a Python file with a function get_sweep.')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, 'get_sweep'):
    raise InputError(f'{path} has no function get_sweep.')
  runs = module.get_sweep()
  jobs = [_job(run, path) for run in runs]
  names = [job.name for job in jobs]
  if twice := sorted({name for name in names if names.count(name) > 1}):
    raise InputError(f'{path} has several runs called {", ".join(twice)}; a field `name` tells them apart.')
  if not jobs:
    raise InputError(f'{path} has no runs.')
  return jobs


def _job(run: dict, path: str) -> Job:
  if 'config' not in run:
    raise InputError(f'A run of {path} has no field `config`: {run}.')
  fields = {name: value for name, value in run.items() if name not in ('name', 'config')}
  try:
    config = shell.load(run['config'])
  except OSError as error:
    raise InputError(f'{path}: the config {run["config"]} cannot be read: {error.strerror}.') from error
  for field in fields:
    if wrong := shell.unknown(config, field):
      raise InputError(f'{path}: {wrong}')
    _check_type(config, field, fields[field], path)
  choice = run['config'].rpartition('/')[2].replace('.py', '')
  shown = [choice, *(f'{name.rpartition(".")[2]}={value}' for name, value in fields.items())]
  return Job(naming.file_name(run.get('name') or '-'.join(shown)), run['config'], fields)


def _check_type(config, field: str, value, path: str) -> None:
  try:
    config.update_from_flattened_dict({field: value})
  except (TypeError, ValueError) as error:
    raise InputError(f'{path}: {field} cannot be {value!r}: {error}') from error


def begin(folder: pathlib.Path, jobs: list[Job]) -> None:
  """Writes sweep.json, new or with runs added. Raises InputError where a run that has begun has become another."""
  path = folder / 'sweep.json'
  shell.writable(path)
  wanted = {job.name: records.plain(dict(config=job.config, fields=job.fields)) for job in jobs}
  known = records.read_json(path) if path.exists() else {}
  for name, was in known.items():
    if (now := wanted.get(name, was)) != was and (folder / name).exists():
      raise InputError(f'{path} has {name} as {was}, the sweep as {now}. Give another --workdir, or the sweep that it '
                       'was begun with.')
  records.write_json(path, known | wanted)


class Status(NamedTuple):
  """How a run stands: 'waiting', 'begun', or 'done', with the last step's number, loss in bits, and seconds."""

  state: str
  step: int = 0
  bits: float | None = None
  seconds: float = 0.0


def status(folder: pathlib.Path, job: Job) -> Status:
  """Read from the run's folder alone."""
  run = records.Run(folder / job.name)
  lines = run.metrics('train') if run.path.is_dir() else []
  last = lines[-1] if lines else dict(step=0, bits=None, seconds=0.0)
  state = 'done' if (run.path / 'result.json').exists() else 'begun' if lines else 'waiting'
  return Status(state, last['step'], last['bits'], last['seconds'])


def table(jobs: list[Job], stands: list[Status], running: set[str], failed: dict[str, str]) -> str:
  """A line a run."""
  wide = max(len(job.name) for job in jobs)
  lines = []
  for job, at in zip(jobs, stands):
    state = 'failed' if job.name in failed else 'running' if job.name in running else at.state
    bits = '' if at.bits is None else f'{at.bits:8.3f} bits'
    lines.append(f'{job.name:{wide}}  {state:8} step {at.step:>7}  {at.seconds:7.0f} s  {bits}'.rstrip())
  return '\n'.join(lines)
