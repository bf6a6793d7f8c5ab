"""The suite `memory`: one Titans layer beside titans-pytorch, over lengths and chunks; a record and a figure."""

import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile

import jax

from latentmem.base import records
from latentmem.base.errors import InputError

PEER = 'titans-pytorch'
# What its users get: tokens are read one at a time, and written when a chunk of them is there.
WAITING = 'titans-pytorch, writing whole chunks'


def measure(spec: dict, limit: float) -> dict:
  """Runs one measurement in a process of its own. A failure is a result too."""
  command = [sys.executable, '-m', 'launch.benchmarks.layer', json.dumps(spec)]
  try:
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
  except subprocess.TimeoutExpired:
    return dict(failed=f'longer than {limit:.0f} s')
  if done.returncode:
    return dict(failed=(done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1][:200])
  return json.loads(done.stdout.strip().splitlines()[-1])


def specs(lengths, chunks, peer: bool, shared: dict):
  """What is measured, in the order in which it is: us and the peer by turns, on the same work."""
  names = ['latentmem', PEER] if peer else ['latentmem']
  for chunk in chunks:
    for length in lengths:
      if chunk < 1 or length < 1 or length % chunk:
        raise InputError(f'a chunk of {chunk} does not divide a length of {length}.')
      for what in ('forward', 'train'):
        for who in names:
          yield shared | dict(who=who, what=what, length=length, chunk=chunk)
    for who in [*names, WAITING] if peer else names:
      yield shared | dict(who=who, what='decode', length=max(2 * chunk, 128), chunk=chunk)


def run(lengths, chunks, peer: bool, shared: dict, limit: float, told=print) -> dict:
  """Measures everything and returns the record. What the peer cannot finish at one length it is not asked at longer."""
  shared = shared | dict(cores=len(os.sched_getaffinity(0)))
  asked = list(specs(lengths, chunks, peer, shared))
  rows, given_up = [], set()
  with tempfile.TemporaryDirectory() as cache:
    for spec in asked:
      key = spec['who'], spec['what'], spec['chunk']
      if key in given_up:
        continue
      spec |= dict(cache=cache)
      rate = measure(spec | dict(who='latentmem', what='matmul'), limit)
      if spec['who'] == 'latentmem':
        measure(spec | dict(repeats=1), limit)  # Fills the cache of compiled programs.
      row = {name: spec[name] for name in ('who', 'what', 'length', 'chunk')} | measure(spec, limit)
      row['matmul_flops_per_s'] = None if 'failed' in rate else rate['flops'] / min(rate['seconds'])
      if 'failed' in row and spec['who'] != 'latentmem':
        given_up.add(key)
      rows.append(row)
      told(describe(row))
  return dict(suite='memory', layer={k: v for k, v in shared.items() if k != 'cores'},
              rows=rows, ratios=ratios(rows), versions=records.versions() | peer_version(), commit=records.commit(),
              machine=records.machine(jax.devices()), date=datetime.date.today().isoformat())


def peer_version() -> dict:
  """The peer's version, where it is installed."""
  try:
    return {name: importlib.metadata.version(name) for name in (PEER, 'torch')}
  except importlib.metadata.PackageNotFoundError:
    return {}


def describe(row: dict) -> str:
  name = f'{row["who"]:36} {row["what"]:8} length {row["length"]:6} chunk {row["chunk"]:4}'
  if 'failed' in row:
    return f'{name}  failed: {row["failed"]}'
  rated = row.get('flops') and row.get('matmul_flops_per_s')
  share = f'  {share_of_rate(row):4.0%} of the matmul rate' if rated else ''
  return f'{name}  {min(row["seconds"]) * 1e3:10.2f} ms  {row["peak"]["host"] / 1e9:6.2f} GB{share}'


def share_of_rate(row: dict) -> float:
  return row['flops'] / min(row['seconds']) / row['matmul_flops_per_s']


def ratios(rows: list[dict]) -> list[dict]:
  """The peer's seconds and highest memory over ours, where both finished the same work on the same kind of device."""
  by = {(r['who'], r['what'], r['length'], r['chunk']): r for r in rows if 'failed' not in r}
  above = lambda row: max(row['peak']['host'] - row['baseline'], 1)
  out = []
  for (who, *work), peer in by.items():
    row = by.get(('latentmem', *work))
    if who != 'latentmem' and row and row['platform'] == peer['platform']:
      out.append(dict(zip(('what', 'length', 'chunk'), work)) | dict(
          peer=who, seconds=min(peer['seconds']) / min(row['seconds']),
          memory=peer['peak']['host'] / row['peak']['host'], memory_above_start=above(peer) / above(row)))
  return out
