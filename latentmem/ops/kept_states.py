"""Attention over states kept on the way: token t asks the last M of those that were kept, one every `stride` tokens.

Places lie on a grid: chunk n holds states n S .. n S + S - 1, the last tokens of its S strides; what was kept before
the first chunk has negative places. Documents begin where chunks begin, and see nothing kept before.
B batch, T tokens, N chunks of C tokens, S states kept in a chunk, M states seen, H heads, K head width.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays


def shares(score, seen):
  """Softmax along the last axis over what is seen; zero where nothing is."""
  score = jnp.where(seen, score, -jnp.inf)
  return jax.nn.softmax(jnp.where(jnp.any(seen, -1, keepdims=True), score, 0), -1) * seen


def attend(q_HK, k_MHK, v_MHK, seen_M):
  """One query: softmax over what is seen; zero where nothing is. -> [H, K]."""
  score_HM = jnp.einsum('hk,mhk->hm', q_HK, k_MHK) * q_HK.shape[-1] ** -0.5
  return jnp.einsum('hm,mhk->hk', shares(score_HM, seen_M), v_MHK)


def keep(kept, new_B, now_B):
  """`kept` [B, M, ...] moved up by one where `now`, the newest last."""
  moved = jax.tree.map(lambda old, new: jnp.concatenate([old[:, 1:], new[:, None]], 1), kept, new_B)
  return arrays.pick(now_B, moved, kept)


def on_grid(kept, new_BG, already_B):
  """Kept [B, M, ...], newest last, and new [B, G, ...] on places -M .. G - 1; the newest kept at `already` - 1."""
  def leaf(old, new):
    seen, total = old.shape[1], new.shape[1]
    place_G = jnp.arange(-seen, total)
    source_BG = jnp.clip(place_G + seen - already_B[:, None], 0, seen - 1)
    before = arrays.at(source_BG, old)
    after = jnp.pad(new, [(0, 0), (seen, 0)] + [(0, 0)] * (new.ndim - 2))
    return arrays.pick(place_G < already_B[:, None], before, after)
  return jax.tree.map(leaf, kept, new_BG)


def read(q_BTHK, grid, first_BN, chunk: int, seen: int):
  """What each token reads of the grid from `on_grid`; chunk n sees no place before first_n. -> [B, T, H, K]."""
  batch, length, *rest = q_BTHK.shape
  chunks = length // chunk
  per_chunk = (grid['k'].shape[1] - seen) // chunks
  place_NS = jnp.arange(chunks)[:, None] * per_chunk + jnp.arange(seen + per_chunk)
  k_BNSHK, v_BNSHK = (grid[name][:, place_NS] for name in 'kv')
  # Places within a chunk count from its own first state; the newest a token sees is that of its last full stride.
  newest_C = (jnp.arange(chunk) + 1) // (chunk // per_chunk) - 1
  near_S = jnp.arange(-seen, per_chunk)
  band_CS = (near_S <= newest_C[:, None]) & (near_S > newest_C[:, None] - seen)
  first_BNS = place_NS - seen >= first_BN[..., None]
  q_BNCHK = q_BTHK.reshape(batch, chunks, chunk, *rest)
  score = jnp.einsum('bnchk,bnshk->bnhcs', q_BNCHK, k_BNSHK) * rest[-1] ** -0.5
  seen_BNHCS = (band_CS & first_BNS[:, :, None])[:, :, None]
  return jnp.einsum('bnhcs,bnshk->bnchk', shares(score, seen_BNHCS), v_BNSHK).reshape(q_BTHK.shape)
