"""The suite `sessions`: many live sessions in one batch, beside one session alone, on the quickstart's model.

All of them generate, at places of their own in a text of their own, so that chunks fill at all times. Alone and batched
are measured by turns. Seconds are of the clock; `cores` are those that the machine's cores worked for this process,
whatever else the machine did. Then every stream is held against its session alone, token for token: half of them take
the likeliest tokens, half draw.
"""

import datetime
import os
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model
from latentmem.base import arrays, records
from latentmem.model import interface
from latentmem.session import sample
from latentmem.session.batch import Batch
from latentmem.session.session import Session

# Tokens of a turn alone and of a turn of every row of a batch, and of a stream that is compared.
ALONE, BATCHED, COMPARED = 64, 8, 48
PIECE = 64
DRAWN = sample.Sampler(temperature=0.8)


def quickstart() -> tuple:
  """The quickstart's model for bytes, with parameters away from their start: answers depend on all that was read."""
  from configs import quickstart
  net = model.make(**quickstart.get_config().to_dict()['model'] | dict(vocab=256))
  rng = np.random.default_rng(0)
  start = jax.jit(lambda: interface.init_params(net, jax.random.key(0)))()
  return net, jax.tree.map(lambda p: p + jnp.asarray(0.02 * rng.normal(size=p.shape), p.dtype), start)


def prompts(vocab: int, rows: int) -> list[np.ndarray]:
  """Of different lengths, so that no two rows stand at the same place of a chunk for all the others to wait."""
  rng = np.random.default_rng(1)
  return [rng.integers(0, vocab, 20 + 7 * i % 61) for i in range(rows)]


def measure(live: Session, batch: Batch, texts: list[np.ndarray], repeats: int) -> dict[str, dict[str, list[float]]]:
  """Seconds a token, of the clock and of cores, alone and batched by turns; the first turn of each is not counted."""
  live.feed(texts[0])
  for i, text in enumerate(texts):
    batch.join(str(i))
    batch.feed(str(i), text)
    batch.generate(str(i))
  batch.step()
  calls = dict(alone=lambda: len(list(live.generate(ALONE))), batched=lambda: sum(map(len, batch.step().values())))
  found = {kind: {name: [] for name in calls} for kind in ('seconds', 'cores')}
  for turn in range(repeats + 1):
    for name, call in calls.items():
      clock, cores = time.perf_counter(), time.process_time()
      tokens = call()
      clock, cores = time.perf_counter() - clock, time.process_time() - cores
      if turn:
        found['seconds'][name].append(clock / tokens)
        found['cores'][name].append(cores / tokens)
  for name in batch.names:
    batch.leave(name)
  return found


def streams(fresh: Session, batch: Batch, texts: list[np.ndarray]) -> int:
  """How many streams of a batch are those of their sessions alone."""
  hows = [(sample.GREEDY, 0) if i % 2 else (DRAWN, i) for i in range(len(texts))]
  said = {str(i): [] for i in range(len(texts))}
  for (name, text), how in zip(zip(said, texts), hows):
    batch.join(name)
    batch.feed(name, text)
    batch.generate(name, COMPARED, *how)
  for step in batch.run():
    for name, tokens in step.items():
      said[name] += tokens
  equal = 0
  for tokens, text, how in zip(said.values(), texts, hows):
    live = fresh.fork()
    live.feed(text)
    equal += list(live.generate(COMPARED, *how)) == tokens
  return equal


def run(sizes: list[int], repeats: int, made=quickstart, told=print) -> dict:
  """Measures batches of so many rows, and returns the record."""
  net, params = made()
  fresh = Session(net, params, piece=PIECE)
  rows = []
  for size in sizes:
    batch, texts = Batch(net, params, size, PIECE, ahead=BATCHED), prompts(net.vocab, size)
    found = measure(fresh.fork(), batch, texts, repeats)
    middle = {kind: {name: statistics.median(each) for name, each in both.items()} for kind, both in found.items()}
    times = {kind: both['alone'] / both['batched'] for kind, both in middle.items()}
    row = dict(what='generate', length=size, bytes_per_session=batch.bytes_per_row, times_faster=times['seconds'],
               times_fewer_cores=times['cores'], equal_streams=streams(fresh, batch, texts), compared=COMPARED, **found)
    rows.append(row)
    rate = {name: 1 / each for name, each in middle['seconds'].items()}
    told(f'{size:4} sessions: {rate["batched"]:7.0f} tokens/s beside {rate["alone"]:5.0f} alone, '
         f'{times["seconds"]:.1f} times; {times["cores"]:.1f} times by what cores worked; {row["equal_streams"]} of '
         f'{size} streams equal')
  return dict(suite='sessions', model='quickstart', parameters=arrays.count_of(params), rows=rows, load=os.getloadavg(),
              versions=records.versions(), commit=records.commit(), machine=records.machine(jax.devices()),
              date=datetime.date.today().isoformat())
