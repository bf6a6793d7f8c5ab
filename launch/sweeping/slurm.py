"""Hands jobs to SLURM as one array, by submitit."""

import pathlib
import re

from latentmem.base.errors import InputError
from launch.sweeping.sweep import Job


def parameters(given: list[str]) -> dict:
  """NAME=VALUE as submitit's AutoExecutor takes them, whole numbers as numbers. Raises InputError."""
  out = {}
  for each in given:
    name, equals, value = each.partition('=')
    if not equals or not name:
      raise InputError(f'--slurm takes NAME=VALUE, as in timeout_min=120,slurm_partition=gpu; it got {each!r}.')
    out[name] = int(value) if re.fullmatch(r'\d+', value) else value
  return out


def submit(jobs: list[Job], folder: pathlib.Path, parallel: int, given: dict, cluster: str = 'slurm') -> list:
  """The jobs as submitit has them. Raises InputError where submitit or the cluster is not there."""
  try:
    import submitit
  except ImportError as error:
    raise InputError("SLURM arrays need submitit (pip install -e '.[slurm]').") from error
  try:
    executor = submitit.AutoExecutor(folder=folder / 'slurm', cluster=cluster)
    executor.update_parameters(**given, **(dict(slurm_array_parallelism=parallel) if cluster == 'slurm' else {}))
  except (RuntimeError, NameError, ValueError) as error:
    raise InputError(f'SLURM cannot be used: {error}') from error
  with executor.batch():
    return [executor.submit(submitit.helpers.CommandFunction(job.command(folder.absolute()))) for job in jobs]
