"""Lists of runs, each a dict of fields set anew: what a file in configs/sweeps returns.

  def get_sweep():
    sizes = plans.zipped({'model.width': [64, 128], 'model.layers': [2, 4]})
    return plans.crossed([dict(config='configs/quickstart.py:titans')], sizes, plans.grid({'seed': range(3)}))
"""

from collections.abc import Callable, Iterable
import itertools
import math

import numpy as np

from latentmem.base.errors import InputError


def grid(fields: dict[str, Iterable]) -> list[dict]:
  """Every combination of the values."""
  return [dict(zip(fields, values)) for values in itertools.product(*fields.values())]


def zipped(fields: dict[str, Iterable]) -> list[dict]:
  """The first values together, the second ones, and so on. Raises InputError for lists of different lengths."""
  columns = {name: list(values) for name, values in fields.items()}
  if len({len(values) for values in columns.values()}) > 1:
    raise InputError(f'zipped takes lists of one length, not {({name: len(v) for name, v in columns.items()})}.')
  return [dict(zip(columns, values)) for values in zip(*columns.values())]


def sampled(count: int, fields: dict[str, Callable], seed: int = 0) -> list[dict]:
  """So many draws of every field, `field(rng)`: `between`, `log_between` or `one_of`."""
  rng = np.random.default_rng(seed)
  return [{name: draw(rng) for name, draw in fields.items()} for _ in range(count)]


def between(low: float, high: float):
  """A field that is drawn evenly."""
  return lambda rng: float(rng.uniform(low, high))


def log_between(low: float, high: float):
  """A field whose logarithm is drawn evenly, to four digits."""
  return lambda rng: float(f'{math.exp(rng.uniform(math.log(low), math.log(high))):.4g}')


def one_of(values: Iterable):
  """A field that is one of several values."""
  values = list(values)
  return lambda rng: values[rng.integers(len(values))]


def crossed(*lists: list[dict]) -> list[dict]:
  """Every run of the first list with every one of the others. Raises InputError where two lists set one field."""
  out = []
  for parts in itertools.product(*lists):
    run = {}
    for part in parts:
      if both := run.keys() & part.keys():
        raise InputError(f'Two lists of a sweep set {", ".join(sorted(both))}.')
      run |= part
    out.append(run)
  return out
