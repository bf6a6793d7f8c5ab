"""Linear attention with decay: a matrix that fades and is added to.

S_t = a_t S_{t-1} + k_t v_t'    y_t = S_t' q_t         Katharopoulos et al. 2020; decay per token, Yang et al. 2023
B batch, T tokens, N chunks of C tokens, H heads, K key width, V value width; a_t one number per head.
A fresh document starts from S = 0.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.ops import decay, scans


def linear_one(s_BHKV, q_BHK, k_BHK, v_BHV, log_a_BH) -> tuple[jax.Array, jax.Array]:
  """The meaning: one token. -> s_BHKV, y_BHV."""
  s_BHKV = jnp.exp(log_a_BH)[..., None, None] * s_BHKV + k_BHK[..., :, None] * v_BHV[..., None, :]
  return s_BHKV, jnp.einsum('bhk,bhkv->bhv', q_BHK, s_BHKV)


def linear_in_turn(s_BHKV, q_BTHK, k_BTHK, v_BTHV, log_a_BTH, reset_BT) -> tuple[jax.Array, jax.Array]:
  """`linear_one`, token after token; rows with a reset forget first. -> s_BHKV, y_BTHV."""
  def body(s_BHKV, inputs):
    *drive, reset_B = inputs
    return linear_one(arrays.pick(reset_B, jnp.zeros_like(s_BHKV), s_BHKV), *drive)
  inputs = [jnp.swapaxes(a, 0, 1) for a in (q_BTHK, k_BTHK, v_BTHV, log_a_BTH, reset_BT)]
  s_BHKV, y_TBHV = jax.lax.scan(body, s_BHKV, inputs)
  return s_BHKV, jnp.swapaxes(y_TBHV, 0, 1)


def linear_chunked(s_BHKV, q_BTHK, k_BTHK, v_BTHV, log_a_BTH, reset_BT, chunk) -> tuple[jax.Array, jax.Array]:
  """`linear_in_turn` with matrices: inside chunks all at once, between chunks a scan. T is a multiple of `chunk`."""
  split = lambda a: a.reshape(a.shape[0], -1, chunk, *a.shape[2:])
  q, k, v, log_a, reset = map(split, (q_BTHK, k_BTHK, v_BTHV, log_a_BTH, reset_BT))
  l_BNHCC, m_BNHC = decay.within_chunks(log_a, reset)
  within_BNHCC = jnp.einsum('bnthk,bnihk->bnhti', q, k) * l_BNHCC
  wrote_BNHKV = jnp.einsum('bnhi,bnihk,bnihv->bnhkv', l_BNHCC[..., -1, :], k, v)
  end_BNHKV = scans.all_at_once(m_BNHC[..., -1, None, None], wrote_BNHKV, s_BHKV)
  start_BNHKV = jnp.concatenate([s_BHKV[:, None], end_BNHKV[:, :-1]], axis=1)
  y_BNCHV = (jnp.einsum('bnhti,bnihv->bnthv', within_BNHCC, v)
             + jnp.einsum('bnht,bnthk,bnhkv->bnthv', m_BNHC, q, start_BNHKV))
  return end_BNHKV[:, -1], y_BNCHV.reshape(v_BTHV.shape)
