"""Where measurements go besides metrics.jsonl: TensorBoard and Weights & Biases, where a run asks for them."""

import numbers
import pathlib

from latentmem.base import records
from latentmem.base.errors import InputError


class TensorBoard:
  """Writes event files under `folder`. Needs tensorboardX."""

  def __init__(self, folder: pathlib.Path):
    try:
      import tensorboardX
    except ImportError:
      raise InputError(missing('tensorboard', 'tensorboardX')) from None
    self._writer = tensorboardX.SummaryWriter(str(folder))

  def write(self, step: int, values: dict) -> None:
    for name, value in values.items():
      self._writer.add_scalar(name, value, step)

  def close(self) -> None:
    self._writer.close()


class Wandb:
  """Sends to a project of Weights & Biases, as the run that the folder is named after. Needs wandb."""

  def __init__(self, project: str, run: records.Run):
    try:
      import wandb
    except ImportError:
      raise InputError(missing('wandb', 'wandb')) from None
    self._run = wandb.init(project=project, name=run.path.name, dir=str(run.path), config=run.config, resume='allow',
                           id=run.path.name)

  def write(self, step: int, values: dict) -> None:
    self._run.log(values, step=step)

  def close(self) -> None:
    self._run.finish()


def missing(field: str, package: str) -> str:
  """What to say where an option's package is not installed."""
  return (f"train.{field} needs {package}, which is not installed. Install it with pip install -e '.[logging]', "
          f'or leave train.{field} at its default.')


class Measurements:
  """All that a run measures, to metrics.jsonl and to the writers it asked for. Only the first process writes."""

  def __init__(self, run: records.Run, tensorboard: bool = False, wandb: str = '', write: bool = True):
    """Raises InputError where a writer's package is not installed."""
    self._run, self._write, self._writers = run, write, []
    if write and tensorboard:
      self._writers.append(TensorBoard(run.path / 'tensorboard'))
    if write and wandb:
      self._writers.append(Wandb(wandb, run))

  def __call__(self, step: int, split: str, **values) -> None:
    if not self._write:
      return
    self._run.append(step, split, **values)
    flat = dict(flatten(values, split))
    for writer in self._writers:
      writer.write(step, flat)

  def close(self) -> None:
    for writer in self._writers:
      writer.close()


def flatten(value, name: str):
  """(name, number) of every number in nested dicts and lists, names joined with '/'."""
  value = records.plain(value)
  if isinstance(value, dict):
    for key, inner in value.items():
      yield from flatten(inner, f'{name}/{key}')
  elif isinstance(value, list):
    for index, inner in enumerate(value):
      yield from flatten(inner, f'{name}/{index}')
  elif isinstance(value, numbers.Number):
    yield name, float(value)
