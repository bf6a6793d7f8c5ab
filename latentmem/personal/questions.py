"""What tells questions apart: mean embeddings along the directions in which they differ, each brought to one size.

  e(x) = n(B' mean(x) - b)      B = V_R (max(L_R, 0) + least)^(-1/2),  b = B' m,  n(v) = v / rms(v)

m and V L V' are the mean and the covariance of many questions' mean embeddings, l_1 >= l_2 >= .. in L, and R the
directions that are kept; least is FLOOR l_1, and ROUNDING of the mean square where questions hardly differ. Questions
that differ in two or three words have mean embeddings that point nearly the same way (a cosine of 0.97 is usual), and a
projection has to grow large before a softmax over it tells them apart. Along B they are apart from the start. Where
nothing is asked, e is 0.
B rows, N questions, D width, R directions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FLOOR = 1e-3
# Means of float32 embeddings differ by so much of their square for no reason.
ROUNDING = 1e-6
_EXACT = jax.lax.Precision.HIGHEST


class Moments(NamedTuple):
  """Sums over questions, of which there are `count`, in float64."""

  count: float
  sum_D: np.ndarray
  products_DD: np.ndarray

  def __add__(self, other):
    return Moments(*(mine + theirs for mine, theirs in zip(self, other)))


def moments(e_BD: np.ndarray, asked_B: np.ndarray) -> Moments:
  """Sums over the mean embeddings of rows, without those in which nothing is asked."""
  e_ND = np.asarray(e_BD, np.float64)[np.asarray(asked_B, bool)]
  return Moments(float(len(e_ND)), e_ND.sum(0), e_ND.T @ e_ND)


def unmeasured(width: int, directions: int) -> dict:
  """Of questions of which nothing is known: their mean embeddings themselves, the first R numbers."""
  return dict(basis=jnp.eye(width, directions), offset=jnp.zeros(directions))


def measured(found: Moments, directions: int) -> dict:
  """B and b of so many questions. Where they differ in fewer directions, the rest are nearly zero for all of them."""
  if not found.count:
    return unmeasured(len(found.sum_D), directions)
  mean_D, second_DD = found.sum_D / found.count, found.products_DD / found.count
  sizes_D, vectors_DD = np.linalg.eigh(second_DD - np.outer(mean_D, mean_D))
  sizes_R, vectors_DR = sizes_D[::-1][:directions], vectors_DD[:, ::-1][:, :directions]
  least = max(FLOOR * sizes_R[0], ROUNDING * np.trace(second_DD)) or 1.0
  basis_DR = vectors_DR / np.sqrt(np.maximum(sizes_R, 0) + least)
  return dict(basis=basis_DR.astype(np.float32), offset=(mean_D @ basis_DR).astype(np.float32))


def features(measured: dict, e_BD: jax.Array, asked_B: jax.Array) -> jax.Array:
  """e(x) of mean embeddings, [B, R], of root mean square 1. What was measured is not learned.

  Decay of weights would shrink B and b alike, which n takes back.
  """
  basis_DR, offset_R = map(jax.lax.stop_gradient, (measured['basis'], measured['offset']))
  e_BR = jnp.dot(e_BD, basis_DR, precision=_EXACT) - offset_R
  e_BR *= jax.lax.rsqrt(jnp.mean(jnp.square(e_BR), -1, keepdims=True) + 1e-12)
  return e_BR * asked_B[:, None]
