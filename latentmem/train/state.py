"""Everything that training carries from one step to the next, as one tree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from latentmem.model import interface


class TrainState(NamedTuple):
  """Saved whole with the position in the data, it makes a run resume exactly.

  Attributes:
    params: The model's variables.
    opt_state: The optimizer's.
    carry: What the model remembers of each row's stream.
    step: Batches read, int32.
    skipped: Updates skipped because they were not finite, int32.
    skipped_in_row: The same since the last update that was finite.
    rng: Key that every step's randomness comes from; it does not change.
  """

  params: Any
  opt_state: Any
  carry: Any
  step: jax.Array
  skipped: jax.Array
  skipped_in_row: jax.Array
  rng: jax.Array


def create(model, optimizer: optax.GradientTransformation, rows: int, key: jax.Array,
           frozen: dict | None = None, params: dict | None = None) -> TrainState:
  """The state before the first step, beside what is frozen, with new parameters where none are given.

  Pure: may run under `jit` and `eval_shape`.
  """
  init_key, rng = jax.random.split(key)
  params = interface.init_params(model, init_key) if params is None else params
  zero = jnp.zeros((), jnp.int32)
  carry = fresh_carry(model, params | (frozen or {}), rows)
  return TrainState(params=params, opt_state=optimizer.init(params), carry=carry, step=zero,
                    skipped=zero, skipped_in_row=zero, rng=rng)


def fresh_carry(model, params, rows: int):
  """What the model remembers before it has read anything."""
  return model.apply(params, rows, method='init_state')


def batch_axes(model, params):
  """The axis of rows in each array of the carry, -1 where there is none."""
  shapes = [jax.eval_shape(lambda p, rows=rows: fresh_carry(model, p, rows), params) for rows in (2, 3)]
  def axis(two, three):
    differing = [i for i, (a, b) in enumerate(zip(two.shape, three.shape)) if a != b]
    return differing[0] if differing else -1
  return jax.tree.map(axis, *shapes)
