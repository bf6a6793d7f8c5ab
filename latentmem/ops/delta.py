"""Gated delta rule: fade, then write only what the key does not already bring back.

S_t = a_t (I - b_t k_t k_t') S_{t-1} + b_t k_t v_t'    y_t = S_t' q_t      Yang, Kautz and Hatamizadeh 2024, eq. 10
(there S is transposed). B batch, T tokens, N chunks of C tokens, H heads, K key width, V value width; a_t in (0, 1]
and b_t in [0, 1] one number per head, |k_t| <= 1. A fresh document starts from S = 0.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.ops import decay, triangular


def delta_one(s_BHKV, q_BHK, k_BHK, v_BHV, log_a_BH, b_BH) -> tuple[jax.Array, jax.Array]:
  """The meaning: one token. -> s_BHKV, y_BHV."""
  s_BHKV = jnp.exp(log_a_BH)[..., None, None] * s_BHKV
  left_BHV = b_BH[..., None] * (v_BHV - jnp.einsum('bhk,bhkv->bhv', k_BHK, s_BHKV))
  s_BHKV += k_BHK[..., :, None] * left_BHV[..., None, :]
  return s_BHKV, jnp.einsum('bhk,bhkv->bhv', q_BHK, s_BHKV)


def delta_in_turn(s_BHKV, q_BTHK, k_BTHK, v_BTHV, log_a_BTH, b_BTH, reset_BT) -> tuple[jax.Array, jax.Array]:
  """`delta_one`, token after token; rows with a reset forget first. -> s_BHKV, y_BTHV."""
  def body(s_BHKV, inputs):
    *drive, reset_B = inputs
    return delta_one(arrays.pick(reset_B, jnp.zeros_like(s_BHKV), s_BHKV), *drive)
  inputs = [jnp.swapaxes(a, 0, 1) for a in (q_BTHK, k_BTHK, v_BTHV, log_a_BTH, b_BTH, reset_BT)]
  s_BHKV, y_TBHV = jax.lax.scan(body, s_BHKV, inputs)
  return s_BHKV, jnp.swapaxes(y_TBHV, 0, 1)


def delta_chunked(s_BHKV, q_BTHK, k_BTHK, v_BTHV, log_a_BTH, b_BTH, reset_BT, chunk) -> tuple[jax.Array, jax.Array]:
  """`delta_in_turn` with matrices. T is a multiple of `chunk`.

  Token t writes k_t u_t', with u_t = b_t (v_t - a_t S_{t-1}' k_t). With L and m of `decay.within_chunks`, and
  A[t, i] = b_t L[t, i] k_t.k_i below the diagonal, the chunk's rows are

      U = (I + A)^-1 diag(b) (V - diag(m) K S_0)    Y = diag(m) Q S_0 + (L o Q K') U    S_C = m_C S_0 + (diag(L_C) K)' U
  """
  split = lambda a: jnp.swapaxes(a.reshape(a.shape[0], -1, chunk, *a.shape[2:]), 2, 3)
  q, k, v, log_a, b = map(split, (q_BTHK, k_BTHK, v_BTHV, log_a_BTH, b_BTH))
  l, m = decay.within_chunks(jnp.swapaxes(log_a, 2, 3), reset_BT.reshape(reset_BT.shape[0], -1, chunk))
  a_BNHCC = jnp.tril(b[..., None] * l * jnp.einsum('bnhtk,bnhik->bnhti', k, k), -1)
  solve_BNHCC = triangular.unit_lower_inverse(a_BNHCC) * b[..., None, :]
  told_BNHCV = jnp.einsum('bnhti,bnhiv->bnhtv', solve_BNHCC, v)
  asked_BNHCK = jnp.einsum('bnhti,bnhik->bnhtk', solve_BNHCC, m[..., None] * k)
  within_BNHCC = l * jnp.einsum('bnhtk,bnhik->bnhti', q, k)
  started_BNHCK = m[..., None] * q
  kept_BNHCK = l[..., -1, :, None] * k

  def body(s_BHKV, inputs):
    told, asked, within, started, kept, m_end_BH = inputs
    u_BHCV = told - jnp.einsum('bhtk,bhkv->bhtv', asked, s_BHKV)
    y_BHCV = jnp.einsum('bhtk,bhkv->bhtv', started, s_BHKV) + jnp.einsum('bhti,bhiv->bhtv', within, u_BHCV)
    return m_end_BH[..., None, None] * s_BHKV + jnp.einsum('bhik,bhiv->bhkv', kept, u_BHCV), y_BHCV

  inputs = (told_BNHCV, asked_BNHCK, within_BNHCC, started_BNHCK, kept_BNHCK, m[..., -1])
  s_BHKV, y_NBHCV = jax.lax.scan(body, s_BHKV, [jnp.swapaxes(a, 0, 1) for a in inputs])
  return s_BHKV, jnp.transpose(y_NBHCV, (1, 0, 3, 2, 4)).reshape(v_BTHV.shape)
