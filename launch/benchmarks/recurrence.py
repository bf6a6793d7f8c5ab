"""The suite `recurrence`: token_state's tokens all at once beside one after another, over lengths."""

import datetime
import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem import memory
from latentmem.base import records
from launch.benchmarks import layer

# What is measured, forward and backward.
WHATS = ('states alone', 'states and attention to those kept', 'whole layer')
FORMS = ('many', 'in_turn')


def step(what: str, form: str, batch: int, length: int, width: int):
  """A function of nothing that returns gradients."""
  kept = dict(kept=0) if what == WHATS[0] else {}
  kind = memory.make('token_state', width=width, recurrence='input', **kept)
  x_BTD = jax.random.normal(jax.random.key(0), (batch, length, width))
  no_BT = jnp.zeros((batch, length), bool)

  def whole(kind, x_BTD):
    at_once = form == 'many'
    return kind(kind.init_state(batch), x_BTD, parallel=at_once, aligned=at_once)[1]

  def recurrence(kind, drive_BT):
    cell = kind.init_cell(batch)
    return getattr(kind, form)(cell, drive_BT, cell, no_BT)[1]
  params = jax.jit(nn.init(whole, kind))(jax.random.key(1), x_BTD)
  if what == WHATS[2]:
    read, given = whole, x_BTD
  else:
    drive = lambda kind, x_BTD: kind.drive((), x_BTD, no_BT, ~no_BT)[1]
    read, given = recurrence, jax.jit(nn.apply(drive, kind))(params, x_BTD)
  score = lambda params, given: jnp.sum(jnp.square(nn.apply(read, kind)(params, given)))
  return functools.partial(jax.jit(jax.grad(score, (0, 1))), params, given)


def run(lengths: list[int], batch: int, width: int, repeats: int, told=print) -> dict:
  """Measures everything, the two forms by turns, and returns the record."""
  rows = []
  for what in WHATS:
    for length in lengths:
      calls = {form: step(what, form, batch, length, width) for form in FORMS}
      seconds = layer.by_turns(calls, repeats)
      row = dict(what=what, length=length, seconds=seconds,
                 times_faster=min(seconds['in_turn']) / min(seconds['many']))
      rows.append(row)
      told(f'{what:36} length {length:6}  {min(seconds["many"]) * 1e3:9.2f} ms  '
           f'{row["times_faster"]:5.2f} times as fast as one after another')
  return dict(suite='recurrence', memory=dict(kind='token_state', recurrence='input', batch=batch, width=width),
              rows=rows, versions=records.versions(), commit=records.commit(), machine=records.machine(jax.devices()),
              date=datetime.date.today().isoformat())
