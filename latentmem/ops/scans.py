"""First-order recurrences: h_t = a_t h_{t-1} + b_t, elementwise, along axis 1.

`in_turn` is what it means. Two steps are one step of the same kind, (a, b) then (a', b') being (a' a, a' b + b'), so
that the order of work is free: `in_blocks` takes sqrt(T) steps of sqrt(T) tokens each, `by_halves` log2(T) of halves.
Their gradients are the same recurrence, backwards (Martin & Cundy 2018, arXiv 1709.04057).

B batch, T steps, C steps in a block, N blocks; `...` any axes. `a` may have axes of size 1 where `b` has more.
"""

import jax
import jax.numpy as jnp


def in_turn(a_BT: jax.Array, b_BT: jax.Array, h_B: jax.Array) -> jax.Array:
  """What it means: every h_t [B, T, ...], one after another, from h_0 = h_B."""
  h_TB = _walk(jnp.swapaxes(a_BT, 0, 1), jnp.swapaxes(b_BT, 0, 1), h_B)
  return jnp.swapaxes(h_TB, 0, 1)


@jax.custom_vjp
def all_at_once(a_BT: jax.Array, b_BT: jax.Array, h_B: jax.Array) -> jax.Array:
  """`in_turn`, in the order that suits the device; nothing but the states is kept for the gradients."""
  return jax.lax.platform_dependent(a_BT, b_BT, h_B, cpu=in_blocks, default=by_halves)


def in_blocks(a_BT, b_BT, h_B):
  """`in_turn`, all blocks side by side: first what each does from end to end, then its states."""
  steps = b_BT.shape[1]
  block = 1 << steps.bit_length() // 2
  a_CBN, b_CBN = (jnp.moveaxis(_cut(a, block, fill), 2, 0) for a, fill in ((a_BT, 1), (b_BT, 0)))
  through = (jnp.ones_like(a_CBN[0]), jnp.zeros_like(b_CBN[0]))
  (kept_BN, added_BN), _ = jax.lax.scan(lambda done, step: (_then(done, step), None), through, (a_CBN, b_CBN))
  end_BN = in_turn(kept_BN, added_BN, h_B)
  start_BN = jnp.concatenate([h_B[:, None], end_BN[:, :-1]], axis=1)
  h_BNC = jnp.moveaxis(_walk(a_CBN, b_CBN, start_BN), 0, 2)
  return h_BNC.reshape(h_B.shape[0], -1, *h_B.shape[1:])[:, :steps]


def by_halves(a_BT, b_BT, h_B):
  """`in_turn` as JAX's associative scan."""
  kept_BT, added_BT = jax.lax.associative_scan(_then, (a_BT, b_BT), axis=1)
  return kept_BT * h_B[:, None] + added_BT


def _forwards(a_BT, b_BT, h_B):
  h_BT = all_at_once(a_BT, b_BT, h_B)
  return h_BT, (a_BT, h_B, h_BT)


def _backwards(saved, g_BT):
  """With g of the states: db_t = g_t + a_{t+1} db_{t+1}, da_t = h_{t-1} db_t."""
  a_BT, h_B, h_BT = saved
  later_BT = jnp.concatenate([a_BT[:, 1:], jnp.zeros_like(a_BT[:, :1])], axis=1)
  db_BT = jnp.flip(all_at_once(jnp.flip(later_BT, 1), jnp.flip(g_BT, 1), jnp.zeros_like(h_B)), 1)
  da_BT = jnp.concatenate([h_B[:, None], h_BT[:, :-1]], axis=1) * db_BT
  narrow = [i for i, size in enumerate(a_BT.shape) if size < da_BT.shape[i]]
  return jnp.sum(da_BT, narrow, keepdims=True), db_BT, a_BT[:, 0] * db_BT[:, 0]


all_at_once.defvjp(_forwards, _backwards)


def _then(first, second):
  return second[0] * first[0], second[0] * first[1] + second[1]


def _walk(a_TB, b_TB, h_B):
  """`in_turn` with the steps first."""
  def body(h_B, step):
    h_B = step[0] * h_B + step[1]
    return h_B, h_B
  return jax.lax.scan(body, h_B, (a_TB, b_TB))[1]


def _cut(a_BT, block, fill):
  """Into blocks, the last one filled up: [B, N, C, ...]."""
  pad = [(0, 0), (0, -a_BT.shape[1] % block)] + [(0, 0)] * (a_BT.ndim - 2)
  return jnp.pad(a_BT, pad, constant_values=fill).reshape(a_BT.shape[0], -1, block, *a_BT.shape[2:])
