"""First-order recurrences: h_t = a_t h_{t-1} + b_t, elementwise, along axis 1.

B batch, T steps; `...` any axes. `a` may have axes of size 1 where `b` has more.
"""

import jax
import jax.numpy as jnp


def in_turn(a_BT: jax.Array, b_BT: jax.Array, h_B: jax.Array) -> jax.Array:
  """What it means: every h_t [B, T, ...], one after another, from h_0 = h_B."""
  def body(h_B, inputs):
    a_B, b_B = inputs
    h_B = a_B * h_B + b_B
    return h_B, h_B
  _, h_TB = jax.lax.scan(body, h_B, (jnp.swapaxes(a_BT, 0, 1), jnp.swapaxes(b_BT, 0, 1)))
  return jnp.swapaxes(h_TB, 0, 1)


def associative(a_BT: jax.Array, b_BT: jax.Array, h_B: jax.Array) -> jax.Array:
  """`in_turn`, in log2(T) steps: (a, b) then (a', b') is (a' a, a' b + b')."""
  def then(first, second):
    return second[0] * first[0], second[0] * first[1] + second[1]
  kept_BT, added_BT = jax.lax.associative_scan(then, (a_BT, b_BT), axis=1)
  return kept_BT * h_B[:, None] + added_BT
