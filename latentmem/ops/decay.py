"""Products of decays between two tokens, from the differences of their running log sums.

L[t, i] = prod_{j=i+1..t} a_j for i <= t, and 0 above: what token t still sees of what token i wrote.
C tokens in a chunk. Decays come as log_a <= 0, one for each token; 0 where a token moves nothing.
"""

import jax
import jax.numpy as jnp

# A decay of e^-40 leaves less than float64 can show. Below it, one token's huge log would drown
# the small ones after it in the running sum, and with them every later difference.
FLOOR = -40.0


def log_cumsum(log_a: jax.Array) -> jax.Array:
  """log prod_{j=1..t} a_j along the last axis; -inf is welcome."""
  return jnp.cumsum(jnp.maximum(log_a, FLOOR), axis=-1)


def triangle(log_a: jax.Array) -> jax.Array:
  """L[..., t, i] = prod_{j=i+1..t} a_j for i <= t, 0 above, from log_a[..., C]."""
  return triangle_of_sums(log_cumsum(log_a))


def triangle_of_sums(sum_log_a: jax.Array) -> jax.Array:
  """`triangle`, from the running sums that `log_cumsum` gives."""
  chunk = sum_log_a.shape[-1]
  difference = sum_log_a[..., :, None] - sum_log_a[..., None, :]
  below = jnp.tril(jnp.ones((chunk, chunk), bool))
  # Masked before exp: above the diagonal it would overflow, and 0 * inf would reach the gradient.
  return jnp.exp(jnp.where(below, difference, -jnp.inf))


def triangle_in_turn(log_a: jax.Array) -> jax.Array:
  """What `triangle` means: each row is the one before, decayed, with a 1 at its own token."""
  rows = []
  for t in range(log_a.shape[-1]):
    own = jnp.zeros_like(log_a).at[..., t].set(1)
    rows.append(own + jnp.exp(log_a[..., t:t + 1]) * rows[-1] if rows else own)
  return jnp.stack(rows, axis=-2)


def within_chunks(log_a_BNCH, reset_BNC) -> tuple[jax.Array, jax.Array]:
  """What tokens see inside their chunk, documents kept apart.

  Args:
    log_a_BNCH: Log decays of N chunks.
    reset_BNC: True where a document begins: neither earlier tokens nor the chunk's start are seen from there on.

  Returns:
    L_BNHCC as `triangle`, and m_BNHC = prod_{j=1..t} a_j, what token t sees of the chunk's start.
  """
  sum_BNHC = log_cumsum(jnp.swapaxes(log_a_BNCH, -1, -2))
  document_BNC = jnp.cumsum(reset_BNC, axis=-1)
  same_BNCC = document_BNC[..., :, None] == document_BNC[..., None, :]
  l_BNHCC = jnp.where(same_BNCC[:, :, None], triangle_of_sums(sum_BNHC), 0)
  m_BNHC = jnp.where(document_BNC[:, :, None] == 0, jnp.exp(sum_BNHC), 0)
  return l_BNHCC, m_BNHC
