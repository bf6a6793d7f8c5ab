"""Rotary positions: a token's place in its document turns its queries and keys.

(x_i, x_{i+K/2}) <- that pair, turned by the angle  position * base^(-2i/K)     Su et al. 2021, in halves
B batch (rows), T tokens, H heads, K head width (even).
"""

import jax
import jax.numpy as jnp


def rotate(x_BTHK: jax.Array, position_BT: jax.Array, base: float = 10_000.0) -> jax.Array:
  """Turns x by its position; products of turned vectors depend on the distance of their positions alone."""
  dtype = jnp.promote_types(x_BTHK.dtype, jnp.float32)
  half = x_BTHK.shape[-1] // 2
  speed_K = base ** (-jnp.arange(half, dtype=dtype) / half)
  angle_BT1K = position_BT.astype(dtype)[..., None, None] * speed_K
  cos, sin = jnp.cos(angle_BT1K), jnp.sin(angle_BT1K)
  left, right = jnp.split(x_BTHK.astype(dtype), 2, axis=-1)
  return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1).astype(x_BTHK.dtype)
