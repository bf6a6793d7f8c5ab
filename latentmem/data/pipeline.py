"""Rows to batches with grain: sharded by process, begun at any step.

A stream of batches is a pure function `row(step, b) -> dict of [T] arrays`, so its position is one number, the same for
any number of processes.
"""

from collections.abc import Callable

import numpy as np

from latentmem.base.errors import InputError

ENDLESS = 2 ** 48


class Batches:
  """Steps 0 to `steps` - 1 of one process's rows, by index or in turn, as often as wanted."""

  def __init__(self, row: Callable, steps: int, rows: int, shard: int = 0, shards: int = 1):
    self.row, self.steps = row, steps
    self.local, self.first = share(rows, shard, shards)

  def __len__(self):
    return self.steps

  def __getitem__(self, step):
    if not 0 <= step < self.steps:
      raise IndexError(step)
    rows = [self.row(int(step), self.first + b) for b in range(self.local)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def share(rows: int, shard: int, shards: int) -> tuple[int, int]:
  """How many rows this process has, and its first. Raises InputError where they do not divide."""
  if rows < 1 or not 0 <= shard < shards or rows % shards:
    raise InputError(f'{rows} rows cannot be shared by {shards} processes (this one is number {shard}); '
                     'rows must be a multiple of the processes.')
  return rows // shards, shard * (rows // shards)


def check_align(length: int, align: int):
  """Raises InputError unless `align` divides `length`."""
  if length < 1 or align < 1 or length % align:
    raise InputError(f'A length of {length} tokens is not a multiple of {align}, where documents may start (the chunk '
                     f'of the memory); {max(1, length // max(align, 1)) * align} would do.')


def check_seed(seed: int, name: str = 'seed'):
  """Raises InputError for a number that no generator starts from."""
  if not 0 <= seed < 2**32:
    raise InputError(f'A {name} is a number from 0 to 2**32 - 1, not {seed}.')


def endless(row: Callable, rows: int, shard: int = 0, shards: int = 1, start: int = 0):
  """A grain.DatasetIterator over batches of `row(step, b)` from step `start` on, read ahead by one thread."""
  import grain
  # One thread: rows are drawn in Python, where more threads only wait for one another.
  read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
  # An element is a whole batch, which costs grain's bookkeeping once a step, not once a row.
  return iter(grain.MapDataset.source(Batches(row, ENDLESS, rows, shard, shards))[start:].to_iter_dataset(read))
