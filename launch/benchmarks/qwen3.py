"""The suite `qwen3`: a checkpoint of the family's smallest shape from disk to its first tokens, in a process of its own.

  python -m launch.benchmarks.qwen3 write FOLDER      random weights, bfloat16
  python -m launch.benchmarks.qwen3 read FOLDER 32    loads, reads 32 tokens, generates; prints one line of JSON

Nothing compiled before is used. Seconds are counted from the start of the process, imports and all; memory is the most
that the process held at any time, of which the weights are `weights` bytes.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BEGUN = time.perf_counter()
SHAPE = dict(vocab=151_936, width=1024, layers=28, heads=16, kv_heads=8, head_width=128, hidden=3072, tie=True)
CONTEXT, TOKENS = 512, 8
# What a first answer may take: seconds, and memory in weights.
LIMIT = dict(seconds=60, memory=1.5)


def write(folder: str) -> None:
  """A checkpoint with random weights."""
  import jax

  from latentmem import model
  from latentmem.model import interface, qwen3_weights
  fields = model.fields('qwen3', **SHAPE, dtype='bfloat16', param_dtype='bfloat16')
  qwen3_weights.save(folder, fields, interface.init_params(model.make(**fields), jax.random.key(0)))


def read(folder: str, prompt: int) -> dict:
  """Seconds since the start at which weights were there, at the first token, and of each token after it."""
  import numpy as np

  from latentmem import model
  from latentmem.base import arrays
  from latentmem.model import qwen3_weights
  from latentmem.session.session import Session
  from latentmem.train import meter
  since = lambda: time.perf_counter() - BEGUN
  imported, before = since(), meter.peak_memory()['host']
  fields, params = qwen3_weights.load(folder, context=CONTEXT)
  loaded, held = since(), meter.peak_memory()['host']
  live = Session(model.make(**fields), params, piece=prompt)
  live.feed(np.random.default_rng(0).integers(0, fields['vocab'], prompt))
  told = [since() for _ in live.generate(TOKENS)]
  # The second token's program is compiled between the first two.
  later = [b - a for a, b in zip(told[1:], told[2:])]
  return dict(imported=imported, loaded=loaded, first_token=told[0], second_token=told[1], token=later,
              weights=arrays.bytes_of(params), before=before, after_loading=held, peak=meter.peak_memory()['host'])


def run(prompts: list[int], limit: float, told=print) -> dict:
  """The record of the suite, for prompts of these lengths."""
  import jax

  from latentmem.base import records
  rows = []
  with tempfile.TemporaryDirectory() as above:
    folder = str(pathlib.Path(above) / 'checkpoint')
    _child('write', folder, limit=limit)
    for prompt in prompts:
      row = dict(length=prompt) | json.loads(_child('read', folder, str(prompt), limit=limit))
      row['times_the_weights'] = row['peak'] / row['weights']
      rows.append(row)
      told(f'prompt {prompt:5}: loaded after {row["loaded"]:.1f} s, first token after {row["first_token"]:.1f} s, then '
           f'{min(row["token"]) * 1e3:.0f} ms a token; peak {row["peak"] / 1e9:.2f} GB, {row["times_the_weights"]:.2f} '
           f'times the weights')
  return dict(suite='qwen3', model=SHAPE | dict(context=CONTEXT), limit=LIMIT, rows=rows, versions=records.versions(),
              commit=records.commit(), machine=records.machine(jax.devices()), date=datetime.date.today().isoformat())


def _child(*args: str, limit: float) -> str:
  """What a process of its own prints last. Raises InputError where it fails or takes longer than `limit` seconds."""
  from latentmem.base.errors import InputError
  environment = {name: value for name, value in os.environ.items() if name != 'JAX_COMPILATION_CACHE_DIR'}
  try:
    done = subprocess.run([sys.executable, '-m', 'launch.benchmarks.qwen3', *args], env=environment, text=True,
                          capture_output=True, timeout=limit)
  except subprocess.TimeoutExpired:
    raise InputError(f'{args[0]} took longer than --limit={limit:g} s.') from None
  if done.returncode:
    raise InputError(f'{args[0]} failed: {(done.stderr.strip() or "killed").splitlines()[-1]}')
  return done.stdout.strip().rpartition('\n')[2]


if __name__ == '__main__':
  if sys.argv[1] == 'write':
    write(sys.argv[2])
  else:
    print(json.dumps(read(sys.argv[2], int(sys.argv[3]))))
