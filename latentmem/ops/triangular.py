"""The inverse of I + A for strictly lower triangular A: what a chunk of sequential corrections adds up to.

Built from blocks of twice the size each time, all of them at once:

    [[P, 0], [R, Q]]^-1 = [[P^-1, 0], [-Q^-1 R P^-1, Q^-1]]

log2(C) rounds of matrix products, as exact as forward substitution. The shorter product
(I - A)(I + A^2)(I + A^4)... is not: repeated keys make powers of A grow like binomials, then cancel.
C rows.
"""

import jax
import jax.numpy as jnp

_EXACT = jax.lax.Precision.HIGHEST


def unit_lower_inverse_in_turn(a_CC: jax.Array) -> jax.Array:
  """What it means: forward substitution, row after row. a[..., C, C] strictly lower."""
  size = a_CC.shape[-1]
  rows = []
  for t in range(size):
    row = jnp.zeros_like(a_CC[..., 0, :]).at[..., t].set(1)
    for i in range(t):
      row -= a_CC[..., t, i, None] * rows[i]
    rows.append(row)
  return jnp.stack(rows, axis=-2)


@jax.custom_vjp
def unit_lower_inverse(a_CC: jax.Array) -> jax.Array:
  """(I + A)^-1 for a[..., C, C], zero on the diagonal and above."""
  size = a_CC.shape[-1]
  whole = 1 << (size - 1).bit_length()
  rest = [(0, 0)] * (a_CC.ndim - 2) + [(0, whole - size)] * 2
  a_CC = jnp.pad(a_CC, rest)
  lead = a_CC.shape[:-2]
  inverse_NII = jnp.ones((*lead, whole, 1, 1), a_CC.dtype)
  width = 1
  while width < whole:
    p, q = inverse_NII[..., 0::2, :, :], inverse_NII[..., 1::2, :, :]
    pairs = whole // (2 * width)
    blocks = a_CC.reshape(*lead, pairs, 2, width, pairs, 2, width)
    r = jnp.moveaxis(jnp.diagonal(blocks[..., :, 1, :, :, 0, :], axis1=-4, axis2=-2), -1, -3)
    corner = -_dot(q, _dot(r, p))
    upper = jnp.concatenate([p, jnp.zeros_like(p)], axis=-1)
    inverse_NII = jnp.concatenate([upper, jnp.concatenate([corner, q], axis=-1)], axis=-2)
    width *= 2
  return inverse_NII[..., 0, :size, :size]


def _dot(a, b):
  return jnp.matmul(a, b, precision=_EXACT)


def _forward(a_CC):
  inverse_CC = unit_lower_inverse(a_CC)
  return inverse_CC, inverse_CC


def _backward(inverse_CC, d_inverse_CC):
  transposed = jnp.swapaxes(inverse_CC, -1, -2)
  return (jnp.tril(-_dot(_dot(transposed, d_inverse_CC), transposed), -1),)


unit_lower_inverse.defvjp(_forward, _backward)
