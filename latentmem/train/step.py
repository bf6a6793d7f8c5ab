"""One step: read a batch, take the gradient, move the parameters.

B rows, T tokens, A parts that the rows are read in (accumulation), V vocabulary.

The carry goes from step to step; gradients do not follow it. An update that is not finite is not made: parameters and
optimizer stay, rows whose memory came out non-finite start afresh, the others go on, and it is counted. Where more
than `skips_allowed` come in a row, nothing moves any more, so that the state that failed can be looked at.

What is frozen stands beside the parameters, another collection of variables: read like them, never differentiated,
never moved, and no part of what is saved.
"""

import jax
import jax.numpy as jnp
import optax

from latentmem.train import losses, optim
from latentmem.train.state import fresh_carry, TrainState


def loss_of(model, params, carry, batch, rng, total, z_loss: float = 0.0, parts: int = 1):
  """Share of these rows in the loss -> loss, carry. They are 1 / `parts` of all rows, whose weight is `total`."""
  (carry, logits_BTV), sown = model.apply(params, carry, batch['tokens_BT'], batch['reset_BT'], aligned=True,
                                          rngs=dict(dropout=rng), mutable=['costs'])
  cost = losses.next_token(logits_BTV, batch['targets_BT'], batch['weights_BT'], z_loss)
  return cost / total + losses.sown(sown.get('costs', {})) / parts, jax.lax.stop_gradient(carry)


def gradient(model, params, carry, batch, rng, axes, accumulate: int = 1, z_loss: float = 0.0,
             frozen: dict | None = None):
  """-> loss, gradients, carry of a whole batch, read in `accumulate` parts one after another."""
  of = jax.value_and_grad(lambda p, c, b, r: loss_of(model, p | (frozen or {}), c, b, r, total, z_loss, accumulate),
                          has_aux=True)
  total = losses.total_weight(batch['weights_BT'])
  if accumulate == 1:
    (loss, carry), grads = of(params, carry, batch, rng)
    return loss, grads, carry

  def part(so_far, inputs):
    carry, batch, rng = inputs
    (loss, carry), grads = of(params, carry, batch, rng)
    return jax.tree.map(jnp.add, so_far, (loss, grads)), carry
  zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(lambda *a: part_of(of(*a)), params, carry,
                                                                           batch, rng))
  inputs = (split_rows(carry, axes, accumulate), split_rows(batch, 0, accumulate), jax.random.split(rng, accumulate))
  (loss, grads), carry = jax.lax.scan(part, zero, inputs)
  return loss, grads, join_rows(carry, axes)


def part_of(valued):
  """loss, gradients of what `value_and_grad` with an aux returned."""
  (loss, _), grads = valued
  return loss, grads


def split_rows(tree, axes, parts: int):
  """[.., B, ..] to [A, .., B / A, ..]. Part a takes rows a, a + A, ...: each device keeps rows of every part."""
  def leaf(x, axis):
    if axis < 0:
      return jnp.broadcast_to(x, (parts, *x.shape))
    shape = x.shape
    return jnp.moveaxis(x.reshape(*shape[:axis], shape[axis] // parts, parts, *shape[axis + 1:]), axis + 1, 0)
  axes = jax.tree.map(lambda _: axes, tree) if isinstance(axes, int) else axes
  return jax.tree.map(leaf, tree, axes)


def join_rows(tree, axes):
  """The inverse of `split_rows`."""
  def leaf(x, axis):
    if axis < 0:
      return x[-1]
    x = jnp.moveaxis(x, 0, axis + 1)
    return x.reshape(*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2:])
  return jax.tree.map(leaf, tree, axes)


def mend(carry, fresh, axes):
  """Rows with anything non-finite in the carry take `fresh`; other rows stay."""
  def sick(x, axis):
    if axis < 0 or not jnp.issubdtype(x.dtype, jnp.inexact):
      return jnp.zeros((), bool)
    return ~jnp.isfinite(x).all(axis=[i for i in range(x.ndim) if i != axis])
  sick_B = jax.tree.reduce(jnp.logical_or, jax.tree.map(sick, carry, axes), jnp.zeros((), bool))
  def leaf(x, new, axis):
    if axis < 0 or sick_B.ndim == 0:
      return x
    return jnp.where(sick_B.reshape([-1 if i == axis else 1 for i in range(x.ndim)]), new, x)
  return jax.tree.map(leaf, carry, fresh, axes)


def train_step(model, optimizer, schedule, axes, state: TrainState, batch: dict, frozen: dict, *, clip: float,
               accumulate: int, z_loss: float, skips_allowed: int):
  """-> state, measured: loss (nats per scored token), grad_norm (before clipping), learning_rate, skipped, ..."""
  rng = jax.random.fold_in(state.rng, state.step)
  loss, grads, carry = gradient(model, state.params, state.carry, batch, rng, axes, accumulate, z_loss, frozen)
  norm = optax.tree.norm(grads)
  rate = schedule(state.step)
  moves, opt_state = optimizer.update(optim.clipped(grads, norm, clip), state.opt_state, state.params)
  params = jax.tree.map(lambda p, m: p - (rate * m).astype(p.dtype), state.params, moves)

  stopped = state.skipped_in_row > skips_allowed
  finite = jnp.isfinite(loss) & jnp.isfinite(norm)
  good = finite & ~stopped
  in_row = jnp.where(stopped, state.skipped_in_row, jnp.where(finite, 0, state.skipped_in_row + 1))
  choose = lambda new, old: jax.tree.map(lambda a, b: jnp.where(good, a, b), new, old)
  rows = batch['tokens_BT'].shape[0]
  carry = jax.lax.cond(good, lambda: carry, lambda: mend(carry, fresh_carry(model, state.params | frozen, rows), axes))
  halt = in_row > skips_allowed
  carry = jax.tree.map(lambda new, old: jnp.where(halt, old, new), carry, state.carry)
  state = TrainState(params=choose(params, state.params), opt_state=choose(opt_state, state.opt_state), carry=carry,
                     step=jnp.where(stopped, state.step, state.step + 1),
                     skipped=state.skipped + (~good).astype(jnp.int32), skipped_in_row=in_row, rng=state.rng)
  return state, dict(loss=loss, grad_norm=norm, learning_rate=rate, skipped=state.skipped, skipped_in_row=in_row)
