"""What may be done to a chunk's change of the weights when the chunk is full. Brakes, each off where it is 0 or False.

Trees hold one [B, H, D_in, D_out] a layer; a chunk's change is W - anchor.
"""

import jax
import jax.numpy as jnp


def size(a: jax.Array) -> jax.Array:
  """Frobenius norm of each matrix, [..., 1, 1]; its gradient is 0 where the matrix is."""
  square = jnp.sum(jnp.square(a), (-1, -2), keepdims=True)
  some = square > 0
  return jnp.where(some, jnp.sqrt(jnp.where(some, square, 1)), 0)


def bounded(change: jax.Array, bound: float) -> jax.Array:
  """A change whose size stays softly below `bound`."""
  square = jnp.sum(jnp.square(change), (-1, -2), keepdims=True)
  return change * bound * jax.lax.rsqrt(bound**2 + square)


def orthogonal(change: jax.Array, steps: int) -> jax.Array:
  """A change of the same size whose singular values lie near one another: Newton-Schulz, as in Muon (Jordan 2024)."""
  flat = change.shape[-2] > change.shape[-1]
  x = jnp.swapaxes(change, -1, -2) if flat else change
  whole = size(x)
  x /= jnp.maximum(whole, 1e-20)
  for _ in range(steps):
    gram = x @ jnp.swapaxes(x, -1, -2)
    x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
  x *= whole / jnp.maximum(size(x), 1e-20)
  return jnp.swapaxes(x, -1, -2) if flat else x


def turned(anchor, weights, start, bound: float, steps: int, renormalise: bool):
  """The weights a new chunk begins with.

  Args:
    anchor, weights, start: Trees: at the full chunk's start, at its end, and at a document's start.
    bound: Of each matrix's change; 0 for none.
    steps: Of Newton-Schulz on each matrix's change; 0 for none.
    renormalise: Whether each matrix returns to the size it had at the document's start.
  """
  def leaf(before, after, first):
    change = after - before
    if steps:
      change = orthogonal(change, steps)
    if bound:
      change = bounded(change, bound)
    after = before + change
    return after * (size(first) / jnp.maximum(size(after), 1e-20)) if renormalise else after
  return jax.tree.map(leaf, anchor, weights, start)
