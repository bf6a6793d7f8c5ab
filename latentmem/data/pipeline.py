"""Rows to batches with grain: sharded by process, the position saved and restored exactly.

A stream of batches is a pure function `row(step, b) -> dict of [T] arrays`, so its position is one number.
"""

from collections.abc import Callable

import numpy as np

from latentmem.base.errors import InputError

ENDLESS = 2 ** 48


class _Rows:
  """One process's rows, in order: element i is row i % local of step i // local."""

  def __init__(self, row: Callable, local: int, first: int):
    self.row, self.local, self.first = row, local, first

  def __len__(self):
    return ENDLESS * self.local

  def __getitem__(self, i):
    step, b = divmod(int(i), self.local)
    return self.row(step, self.first + b)


class Batches:
  """Steps 0 to `steps` - 1 of a stream, as often as wanted."""

  def __init__(self, row: Callable, steps: int, local: int, first: int):
    self.row, self.steps, self.local, self.first = row, steps, local, first

  def __len__(self):
    return self.steps

  def __iter__(self):
    for step in range(self.steps):
      rows = [self.row(step, self.first + b) for b in range(self.local)]
      yield {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def share(rows: int, shard: int, shards: int) -> tuple[int, int]:
  """How many rows this process has, and its first. Raises InputError where they do not divide."""
  if rows < 1 or not 0 <= shard < shards or rows % shards:
    raise InputError(f'{rows} rows cannot be shared by {shards} processes (this one is number {shard}); '
                     'rows must be a multiple of the processes.')
  return rows // shards, shard * (rows // shards)


def check_align(length: int, align: int):
  """Raises InputError unless `align` divides `length`."""
  if length < 1 or align < 1 or length % align:
    raise InputError(f'A length of {length} tokens is not a multiple of {align}, where documents may start (the chunk of the '
                     f'memory); {max(1, length // max(align, 1)) * align} would do.')


def endless(row: Callable, rows: int, shard: int = 0, shards: int = 1):
  """A grain.DatasetIterator over batches of `row(step, b)`, read ahead by one thread."""
  import grain
  local, first = share(rows, shard, shards)
  # One thread: rows are drawn in Python, where more threads only wait for one another.
  read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
  return iter(grain.MapDataset.source(_Rows(row, local, first)).batch(local).to_iter_dataset(read))


def finite(row: Callable, steps: int, rows: int, shard: int = 0, shards: int = 1) -> Batches:
  """The first `steps` batches of `row(step, b)`."""
  return Batches(row, steps, *share(rows, shard, shards))
