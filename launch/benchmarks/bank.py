"""The suite `bank`: a state put into a bank and got back, beside its bytes written to the same disk and read back."""

import datetime
import os
import pathlib
import statistics
import tempfile
import time

import jax
import numpy as np

from latentmem.bank import store
from latentmem.base import arrays, records

# A state lies in so many arrays; raw bytes are read in blocks of so many.
ARRAYS, BLOCK = 48, 1 << 22


def state(numbers: int) -> dict[str, np.ndarray]:
  """float32, drawn, in arrays of nearly one size."""
  drawn = np.random.default_rng(0).standard_normal(numbers, dtype=np.float32)
  return {f'layer_{i}/weights': part for i, part in enumerate(np.array_split(drawn, ARRAYS))}


def write_raw(path: pathlib.Path, parts: dict[str, np.ndarray]) -> None:
  """All bytes, to the disk."""
  with open(path, 'wb', buffering=0) as file:
    for part in parts.values():
      data = memoryview(part).cast('B')
      while len(data):
        data = data[file.write(data):]
    os.fsync(file.fileno())


def read_raw(path: pathlib.Path) -> np.ndarray:
  """All bytes, into memory that is new; in blocks, which is faster than in one piece."""
  content = np.empty(path.stat().st_size, np.uint8)
  with open(path, 'rb', buffering=0) as file:
    data = memoryview(content)
    while len(data) and (count := file.readinto(data[:BLOCK])):
      data = data[count:]
  return content


def timed(call) -> float:
  start = time.perf_counter()
  call()
  return time.perf_counter() - start


def measure(folder: pathlib.Path, parts: dict[str, np.ndarray], repeats: int) -> dict[str, list[float]]:
  """Seconds of writing, reading, putting and getting, by turns; each time to a file that is new."""
  raw, bank = folder / 'raw', store.Bank(folder / 'bank')
  seconds = dict(write=[], read=[], put=[], get=[])
  for _ in range(repeats + 1):
    seconds['write'].append(timed(lambda: write_raw(raw, parts)))
    seconds['read'].append(timed(lambda: read_raw(raw)))
    raw.unlink()
    seconds['put'].append(timed(lambda: bank.put('state', parts)))
    seconds['get'].append(timed(lambda: bank.get('state')))
    bank.forget('state')
  # The first turn is not counted.
  return {name: each[1:] for name, each in seconds.items()}


def run(sizes: list[int], repeats: int, folder: pathlib.Path, told=print) -> dict:
  """Measures states of so many numbers in a folder's file system, and returns the record.

  `share` is the speed of put and get over that of writing and reading the bytes: of the medians, and of each turn.
  """
  rows = []
  for numbers in sizes:
    parts = state(numbers)
    with tempfile.TemporaryDirectory(dir=folder) as there:
      seconds = measure(pathlib.Path(there), parts, repeats)
    both = dict(raw=[w + r for w, r in zip(seconds['write'], seconds['read'])],
                bank=[p + g for p, g in zip(seconds['put'], seconds['get'])])
    size = arrays.bytes_of(parts)
    row = dict(what='put and get', length=numbers, bytes=size, seconds=both, parts=seconds,
               bytes_per_s={name: 2 * size / statistics.median(each) for name, each in both.items()},
               share=statistics.median(both['raw']) / statistics.median(both['bank']),
               shares=[raw / bank for raw, bank in zip(both['raw'], both['bank'])])
    rows.append(row)
    told(f'{numbers:12,} numbers  raw {row["bytes_per_s"]["raw"] / 1e9:5.2f} GB/s  bank '
         f'{row["bytes_per_s"]["bank"] / 1e9:5.2f} GB/s  {row["share"]:4.2f} of the speed '
         f'({min(row["shares"]):4.2f} to {max(row["shares"]):4.2f})')
  return dict(suite='bank', rows=rows, load=os.getloadavg(), versions=records.versions(), commit=records.commit(),
              machine=records.machine(jax.devices()), date=datetime.date.today().isoformat())
