"""Causal attention over a sliding window, with a carry.

y_i = sum_j softmax_j(q_i' k_j / sqrt(K)) v_j     over i's own document, i - W < j <= i, and a prefix all tokens see
B batch (rows), T tokens, W window, H heads, K head width, P prefix, S keys looked at, Q queries in a block.

Keys and values, of a prefix too, may have G heads, where G divides H: then H / G heads of queries that follow one
another share one (grouped queries, Ainslie et al. 2023). Keys are not repeated; queries that share one are asked
together. Names say H for either, and G where the two meet.

The cache is a ring: the p-th token of the open document lies in slot p mod W. `count` is the length of that document
so far, which tells what each slot holds; slots that hold nothing are zeros. Real tokens (mask True) come first.

`in_turn` is the meaning, `dense` the same with a mask over all pairs, `blocks` the same in memory that grows with T W,
or, on a CPU, a few parts of it at a time.
"""

import functools

import jax
import jax.numpy as jnp

from latentmem.base import arrays

# Scores alive at once, for each row and head; on a CPU of all rows and heads together, so that they stay in its cache.
SCORES, CPU_SCORES = 2**18, 2**19
BLOCK, CPU_BLOCK = 128, 32
# A CPU reads in at most so many parts, of about so many queries, where they have no more scores than these together:
# XLA does not finish one before it begins the next, and holds up to three numbers for each.
PARTS, PART, PART_SCORES = 8, 48, 2**25


def init_cache(batch: int, window: int, heads: int, head_width: int, dtype) -> dict:
  """An empty cache: a document's start."""
  empty_BWHK = jnp.zeros((batch, window, heads, head_width), dtype)
  return dict(k=empty_BWHK, v=empty_BWHK, count=jnp.zeros(batch, jnp.int32))


def starts(count_B: jax.Array, reset_BT: jax.Array) -> jax.Array:
  """Where in this call each token's document began, [B, T]; below 0 if it began before, `count` tokens ago."""
  place_T = jnp.arange(reset_BT.shape[1])
  begun_BT = jax.lax.cummax(jnp.where(reset_BT, place_T, jnp.iinfo(jnp.int32).min), axis=1)
  return jnp.maximum(begun_BT, -count_B[:, None])


def positions(count_B: jax.Array, reset_BT: jax.Array) -> jax.Array:
  """Each token's place in its document, [B, T]."""
  return jnp.arange(reset_BT.shape[1]) - starts(count_B, reset_BT)


def scores(q_BTHK: jax.Array, k_PGK: jax.Array) -> jax.Array:
  """What queries make of keys that all rows share, [B, T, H, P]: a prefix is (scores, v_PGK)."""
  q_BTGK = _beside(q_BTHK, k_PGK.shape[1])
  score_BTGP = jnp.einsum('bthk,phk->bthp', q_BTGK, k_PGK, preferred_element_type=_wide(q_BTHK))
  return scaled(_apart(score_BTGP, q_BTHK.shape[2]), q_BTHK)


def scaled(score: jax.Array, q_BTHK: jax.Array) -> jax.Array:
  return score * q_BTHK.shape[-1] ** -0.5


def _wide(x):
  return jnp.promote_types(x.dtype, jnp.float32)


def _beside(x_BTHN, groups):
  """Heads that share keys as if they were tokens, side by side, [B, T H/G, G, N]."""
  batch, length, heads, size = x_BTHN.shape
  if heads == groups:
    return x_BTHN
  return x_BTHN.reshape(batch, length, groups, heads // groups, size).swapaxes(2, 3).reshape(batch, -1, groups, size)


def _apart(x_BNGN, heads):
  """`_beside` undone: [B, T, H, N]."""
  batch, many, groups, size = x_BNGN.shape
  if heads == groups:
    return x_BNGN
  return x_BNGN.reshape(batch, -1, heads // groups, groups, size).swapaxes(2, 3).reshape(batch, -1, heads, size)


def attend(q_BTHK, k_BSGK, v_BSGK, visible_BTS, prefix=None) -> jax.Array:
  """Softmax attention over the visible keys and the prefix. A query that sees nothing gets a finite answer."""
  heads, groups = q_BTHK.shape[2], k_BSGK.shape[2]
  if heads != groups:
    prefix = prefix and (_beside(prefix[0], groups), prefix[1])
    visible_BTS = jnp.repeat(visible_BTS, heads // groups, axis=1)
    return _apart(_attend(_beside(q_BTHK, groups), k_BSGK, v_BSGK, visible_BTS, prefix), heads)
  return _attend(q_BTHK, k_BSGK, v_BSGK, visible_BTS, prefix)


def _attend(q_BTHK, k_BSHK, v_BSHK, visible_BTS, prefix):
  """`attend` where every head has keys of its own."""
  args = q_BTHK, k_BSHK, v_BSHK, visible_BTS, prefix
  if q_BTHK.shape[1] > 1 or q_BTHK.dtype.itemsize < 4:
    return _attend_many(*args)
  return jax.lax.platform_dependent(*args, cpu=_attend_one, default=_attend_many)


def _attend_one(q_B1HK, k_BSHK, v_BSHK, visible_B1S, prefix):
  """One query a row, with sums alone: for its products a CPU would lay all keys and values out anew."""
  score_BSH = scaled(jnp.sum(q_B1HK * k_BSHK, -1), q_B1HK)
  score_BSH = jnp.where(visible_B1S[:, 0, :, None], score_BSH, jnp.finfo(score_BSH.dtype).min)
  parts = [(score_BSH, v_BSHK)]
  if prefix is not None:
    parts.append((jnp.swapaxes(prefix[0][:, 0], 1, 2), prefix[1][None]))
  top_B1H = functools.reduce(jnp.maximum, (jnp.max(score, 1, keepdims=True) for score, _ in parts))
  above_BHK, below_BH = 0, 0
  for score, v in parts:
    weight = jnp.exp(score - jax.lax.stop_gradient(top_B1H))
    above_BHK += jnp.sum(weight[..., None] * v, 1)
    below_BH += jnp.sum(weight, 1)
  return (above_BHK / below_BH[..., None])[:, None].astype(v_BSHK.dtype)


def _attend_many(q_BTHK, k_BSHK, v_BSHK, visible_BTS, prefix):
  score_BHTS = scaled(jnp.einsum('bthk,bshk->bhts', q_BTHK, k_BSHK, preferred_element_type=_wide(q_BTHK)), q_BTHK)
  score_BHTS = jnp.where(visible_BTS[:, None], score_BHTS, jnp.finfo(score_BHTS.dtype).min)
  parts = [(score_BHTS, v_BSHK, 'bhts,bshk->bthk')]
  if prefix is not None:
    parts.append((jnp.swapaxes(prefix[0], 1, 2), prefix[1], 'bhtp,phk->bthk'))
  top_BHT1 = functools.reduce(jnp.maximum, (jnp.max(score, -1, keepdims=True) for score, _, _ in parts))
  above, below = 0, 0
  for score, v, product in parts:
    weight = jnp.exp(score - jax.lax.stop_gradient(top_BHT1))
    above += jnp.einsum(product, weight.astype(v.dtype), v, preferred_element_type=weight.dtype)
    below += jnp.sum(weight, -1)
  return (above / jnp.swapaxes(below, 1, 2)[..., None]).astype(v_BSHK.dtype)


def _held(count_B, window):
  """The position that each slot holds, [B, W], after `count` tokens of a document; below 0 for none."""
  last_B1 = count_B[:, None] - 1
  return last_B1 - (last_B1 - jnp.arange(window)) % window


def one(cache: dict, q_BHK, k_BHK, v_BHK, reset_B, mask_B, prefix=None) -> tuple[dict, jax.Array]:
  """The meaning: one token. prefix: (scores [B, H, P], v_PHK). -> cache, y_BHK."""
  window = cache['k'].shape[1]
  fresh = jax.tree.map(jnp.zeros_like, cache)
  cache = arrays.pick(reset_B & mask_B, fresh, cache)
  slot_B = jnp.where(mask_B, cache['count'] % window, window)
  k_BWHK, v_BWHK = (_put(cache[name], slot_B, new) for name, new in (('k', k_BHK), ('v', v_BHK)))
  count_B = cache['count'] + mask_B
  visible_B1W = (_held(count_B, window) >= 0)[:, None]
  prefix = prefix and (prefix[0][:, None], prefix[1])
  y_B1HK = attend(q_BHK[:, None], k_BWHK, v_BWHK, visible_B1W, prefix)
  return dict(k=k_BWHK, v=v_BWHK, count=count_B), y_B1HK[:, 0]


def _put(ring_BWHK, slot_B, new_BHK):
  """A ring with one slot of each row written; slot W is none."""
  return jax.vmap(lambda ring_WHK, slot, new_HK: ring_WHK.at[slot].set(new_HK, mode='drop'))(ring_BWHK, slot_B, new_BHK)


def in_turn(cache: dict, q_BTHK, k_BTHK, v_BTHK, reset_BT, mask_BT, prefix=None) -> tuple[dict, jax.Array]:
  """`one`, token after token."""
  def body(cache, inputs):
    q, k, v, reset_B, mask_B, score_BHP = inputs
    return one(cache, q, k, v, reset_B, mask_B, prefix and (score_BHP, prefix[1]))
  inputs = (q_BTHK, k_BTHK, v_BTHK, reset_BT, mask_BT, prefix and prefix[0])
  cache, y_TBHK = jax.lax.scan(body, cache, jax.tree.map(lambda a: a.swapaxes(0, 1), inputs))
  return cache, y_TBHK.swapaxes(0, 1)


def dense(cache: dict, q_BTHK, k_BTHK, v_BTHK, reset_BT, mask_BT, prefix=None) -> tuple[dict, jax.Array]:
  """`in_turn` with a mask over all pairs of tokens. -> cache, y_BTHK."""
  length, window = q_BTHK.shape[1], cache['k'].shape[1]
  reset_BT = reset_BT & mask_BT
  start_BT = starts(cache['count'], reset_BT)
  k_BSHK, v_BSHK = (jnp.concatenate([_by_age(cache, name), new], axis=1)
                    for name, new in (('k', k_BTHK), ('v', v_BTHK)))
  visible_BTS = _visible(jnp.arange(length), jnp.arange(-window, length), start_BT, window)
  y_BTHK = attend(q_BTHK, k_BSHK, v_BSHK, visible_BTS, prefix)
  return _advance(cache, k_BTHK, v_BTHK, start_BT, mask_BT), y_BTHK


def blocks(cache: dict, q_BTHK, k_BTHK, v_BTHK, reset_BT, mask_BT, prefix=None) -> tuple[dict, jax.Array]:
  """`in_turn`, a block of queries against the blocks its window reaches; groups of blocks follow one another.

  The tokens of before are looked at only if some document goes on from there.
  """
  window = cache['k'].shape[1]
  start_BT = starts(cache['count'], reset_BT & mask_BT)

  def read(held, *new):
    rows, length, heads, _ = q_BTHK.shape
    alive, part = CPU_SCORES // (rows * heads), -(-length // min(PARTS, max(1, round(length / PART))))
    small = functools.partial(_in_groups, window, CPU_BLOCK, alive)
    # A part reads as many keys as its window and itself have together: one much longer than its window is mostly waste.
    if part <= window + PART and rows * heads * length * (window + part) <= PART_SCORES:
      small = functools.partial(_in_parts, window, part, alive)
    large = functools.partial(_in_groups, window, BLOCK, SCORES)
    return jax.lax.platform_dependent(held, *new, cpu=small, default=large)

  y_BTHK = jax.lax.cond(jnp.any((start_BT < 0) & mask_BT), read, lambda _, *new: read(None, *new),
                        cache, q_BTHK, k_BTHK, v_BTHK, start_BT, prefix)
  return _advance(cache, k_BTHK, v_BTHK, start_BT, mask_BT), y_BTHK


def _in_parts(window, part, alive, cache, q_BTHK, k_BTHK, v_BTHK, start_BT, prefix):
  """What is read, `part` queries against the keys that they reach and no others; None for a cache nobody needs.

  Where a part begins is known when the program is compiled: it reads no key that all of it is before, and copies none.
  What no more scores than `alive` a row and head make is kept for the backward pass.
  """
  length, before = q_BTHK.shape[1], 0 if cache is None else window - 1
  if cache is not None:
    k_BTHK, v_BTHK = (jnp.concatenate([_last(_by_age(cache, name), before), new], axis=1)
                      for name, new in (('k', k_BTHK), ('v', v_BTHK)))

  def read(first):
    mine, seen = slice(first, first + part), slice(max(0, before + first - window + 1), before + first + part)
    place_T, key_S = jnp.arange(length)[mine], jnp.arange(-before, length)[seen]

    def attends(q_BTHK, k_BSHK, v_BSHK, start_BT, prefix):
      return attend(q_BTHK, k_BSHK, v_BSHK, _visible(place_T, key_S, start_BT, window), prefix)
    if length * k_BTHK.shape[1] > alive:
      attends = jax.checkpoint(attends)
    return attends(q_BTHK[:, mine], k_BTHK[:, seen], v_BTHK[:, seen], start_BT[:, mine],
                   prefix and (prefix[0][:, mine], prefix[1]))

  return jnp.concatenate([read(first) for first in range(0, length, part)], axis=1)


def _in_groups(window, most, alive, cache, q_BTHK, k_BTHK, v_BTHK, start_BT, prefix):
  """What is read, `most` queries a block, `alive` scores of a row and head at once; None for a cache nobody needs."""
  length = q_BTHK.shape[1]
  block = min(window, most, length)
  before = -(-(window - 1) // block) * block
  if cache is None:
    before = min(before, -(-length // block) * block - block)
  group = block * max(1, min(alive // (block * (before + block)), -(-length // block)))
  groups = -(-length // group)

  pad = lambda a: jnp.pad(a, [(0, 0), (0, groups * group - length)] + [(0, 0)] * (a.ndim - 2))
  q_BTHK, padded_start_BT, score_BTHP = pad(q_BTHK), pad(start_BT), None if prefix is None else pad(prefix[0])
  held = lambda name, new: jnp.zeros_like(new[:, :0]) if cache is None else _by_age(cache, name)
  k_BSHK, v_BSHK = (jnp.concatenate([_last(held(name, new), before), pad(new)], axis=1)
                    for name, new in (('k', k_BTHK), ('v', v_BTHK)))

  def read(first):
    take = lambda a, size: jax.lax.dynamic_slice_in_dim(a, first, size, axis=1)
    shared = None if prefix is None else (take(score_BTHP, group), prefix[1])
    return _group(take(q_BTHK, group), take(k_BSHK, before + group), take(v_BSHK, before + group),
                  take(padded_start_BT, group) - first, window, block, shared)

  if groups == 1:
    return read(0)[:, :length]
  # One group's scores at a time, in the backward pass too.
  y_GBTHK = jax.lax.map(jax.checkpoint(read), jnp.arange(groups) * group)
  return jnp.moveaxis(y_GBTHK, 0, 1).reshape(q_BTHK.shape)[:, :length]


def _group(q_BTHK, k_BSHK, v_BSHK, start_BT, window, block, prefix):
  """Attends in blocks of queries, side by side; keys begin S - T tokens before the queries."""
  batch, length = start_BT.shape
  count, reach = length // block, k_BSHK.shape[1] - length + block
  fold = lambda a: a.reshape((batch * count, block) + a.shape[2:])

  def windows(a_BSHK):
    if count == 1:
      return a_BSHK
    parts = [a_BSHK[:, i:i + length].reshape((batch, count, block) + a_BSHK.shape[2:]) for i in range(0, reach, block)]
    return jnp.concatenate(parts, axis=2).reshape((batch * count, reach) + a_BSHK.shape[2:])

  first_N = jnp.tile(jnp.arange(count) * block, batch)
  start_NQ = fold(start_BT) - first_N[:, None]
  visible_NQS = _visible(jnp.arange(block), jnp.arange(block - reach, block), start_NQ, window)
  prefix = prefix and (fold(prefix[0]), prefix[1])
  return attend(fold(q_BTHK), windows(k_BSHK), windows(v_BSHK), visible_NQS, prefix).reshape(q_BTHK.shape)


def _visible(place_T, key_S, start_BT, window):
  """Pairs that see each other, [B, T, S]: own document, not later, within the window."""
  near_TS = (key_S <= place_T[:, None]) & (key_S > place_T[:, None] - window)
  return near_TS & (key_S >= start_BT[..., None])


def _by_age(cache, name):
  """The ring's slots, oldest first, the last token last: [B, W, H, K]."""
  window = cache[name].shape[1]
  slot_BW = (cache['count'][:, None] + jnp.arange(window)) % window
  return arrays.at(slot_BW, cache[name])


def _last(a_BWHK, length):
  """The last `length` of a row's tokens, with zeros before where there are not that many."""
  window = a_BWHK.shape[1]
  if length <= window:
    return a_BWHK[:, window - length:]
  return jnp.pad(a_BWHK, ((0, 0), (length - window, 0), (0, 0), (0, 0)))


def _advance(cache, k_BTHK, v_BTHK, start_BT, mask_BT):
  """The cache after the call's real tokens."""
  length, window = start_BT.shape[1], cache['k'].shape[1]
  real_B = mask_BT.sum(1)
  start_B = jnp.take_along_axis(start_BT, jnp.maximum(real_B - 1, 0)[:, None], axis=1)[:, 0]
  count_B = jnp.where(real_B > 0, real_B - start_B, cache['count']).astype(jnp.int32)
  start_B = jnp.where(real_B > 0, start_B, -cache['count'])
  held_BW = _held(count_B, window)
  source_BW = held_BW + start_B[:, None]

  def move(old_BWHK, new_BTHK):
    taken = arrays.at(jnp.clip(source_BW, 0, length - 1), new_BTHK)
    kept = arrays.pick(source_BW >= 0, taken, old_BWHK)
    return arrays.pick(held_BW >= 0, kept, jnp.zeros_like(kept))

  return dict(k=move(cache['k'], k_BTHK), v=move(cache['v'], v_BTHK), count=count_B)
