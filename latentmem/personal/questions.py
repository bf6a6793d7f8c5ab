"""What tells questions apart: mean embeddings along the directions in which they differ, each brought to one size.

  e(x) = n(B' mean(x) - b)      B = V_R (L_R + FLOOR l_1)^(-1/2),  b = B' m,  n(v) = v / rms(v)

m and V L V' are the mean and the covariance of many questions' mean embeddings, l_1 >= l_2 >= .. in L, and R the
directions that are kept. Questions that differ in two or three words have mean embeddings that point nearly the same
way (a cosine of 0.97 is usual), and a projection has to grow large before a softmax over it tells them apart. Along B
they are apart from the start.
N questions, D width, R directions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FLOOR = 1e-3


class Moments(NamedTuple):
  """Sums over questions, of which there are `count`."""

  count: jax.Array | float
  sum_D: jax.Array
  products_DD: jax.Array

  def __add__(self, other):
    return Moments(*(mine + theirs for mine, theirs in zip(self, other)))


def moments(e_ND: jax.Array, asked_N: jax.Array) -> Moments:
  """Sums over the mean embeddings of rows, without those in which nothing is asked."""
  e_ND = e_ND * asked_N[:, None]
  return Moments(asked_N.sum(), e_ND.sum(0), e_ND.T @ e_ND)


def unmeasured(width: int, directions: int) -> dict:
  """Of questions of which nothing is known: their mean embeddings themselves, the first R numbers."""
  return dict(basis=jnp.eye(width, directions), offset=jnp.zeros(directions))


def measured(found: Moments, directions: int) -> dict:
  """B and b of so many questions. Where they differ in fewer directions, the rest are nearly zero for all of them."""
  count, sum_D, products_DD = (np.asarray(each, np.float64) for each in found)
  mean_D = sum_D / count
  sizes_D, vectors_DD = np.linalg.eigh(products_DD / count - np.outer(mean_D, mean_D))
  sizes_R, vectors_DR = sizes_D[::-1][:directions], vectors_DD[:, ::-1][:, :directions]
  least = max(FLOOR * sizes_R[0], 1e-12 * np.trace(products_DD) / count) or 1.0
  basis_DR = vectors_DR / np.sqrt(np.maximum(sizes_R, 0) + least)
  return dict(basis=basis_DR.astype(np.float32), offset=(mean_D @ basis_DR).astype(np.float32))


def features(measured: dict, e_BD: jax.Array) -> jax.Array:
  """e(x) of mean embeddings, [B, R], of root mean square 1. What was measured is not learned."""
  basis_DR, offset_R = map(jax.lax.stop_gradient, (measured['basis'], measured['offset']))
  e_BR = e_BD @ basis_DR - offset_R
  return e_BR * jax.lax.rsqrt(jnp.mean(jnp.square(e_BR), -1, keepdims=True) + 1e-12)
