"""Which slots a chunk opens, and what becomes of those in use where there are not enough.

Slots not in use are opened first, in their order. Where they do not suffice,
  'keep'    opens no more: what is new has to go where something is
  'merge'   of all pairs in use the two most alike become one, their mean by use, as often as slots are missing
  'evict'   those least used make way
Shapes stay: capacity is allocated, and a slot in use is one whose age is above 0.
B batch (rows), N slots, G slots opened, M width.
"""

import jax
import jax.numpy as jnp

POLICIES = ('keep', 'merge', 'evict')


def merged(store, wanted_B):
  """`store` with its two most alike slots made one, in the rows that want it and have two; the later one is then free.

  Args:
    store: slots [B, N, M], ages [B, N] (chunks since a slot was opened; 0 where it is not in use), usage [B, N].
  """
  s_BNM, ages_BN, usage_BN = store['slots'], store['ages'], store['usage']
  count = s_BNM.shape[1]
  way_BNM = s_BNM * jax.lax.rsqrt(jnp.sum(jnp.square(s_BNM), -1, keepdims=True) + 1e-5)
  live_BN = ages_BN > 0
  pairs_BNN = live_BN[:, :, None] & live_BN[:, None] & jnp.triu(jnp.ones((count, count), bool), 1)
  alike_BNN = jnp.where(pairs_BNN, jnp.einsum('bnm,bom->bno', way_BNM, way_BNM), -jnp.inf)
  best_B = jnp.argmax(alike_BNN.reshape(len(alike_BNN), -1), -1)
  does_B1 = (wanted_B & jnp.any(pairs_BNN, (1, 2)))[:, None]
  one_BN, other_BN = (jax.nn.one_hot(place_B, count, dtype=s_BNM.dtype) for place_B in divmod(best_B, count))
  weight_BN = (one_BN + other_BN) * (usage_BN + 1)
  mean_BM = jnp.einsum('bn,bnm->bm', weight_BN / jnp.sum(weight_BN, -1, keepdims=True), s_BNM)
  sum_B1 = jnp.sum((one_BN + other_BN) * usage_BN, -1, keepdims=True)
  here_BN, gone_BN = does_B1 & (one_BN > 0), does_B1 & (other_BN > 0)
  older_B1 = jnp.max(jnp.where((one_BN + other_BN) > 0, ages_BN, 0), -1, keepdims=True)
  return dict(slots=jnp.where(here_BN[..., None], mean_BM[:, None], s_BNM),
              ages=jnp.where(gone_BN, 0, jnp.where(here_BN, older_B1, ages_BN)),
              usage=jnp.where(gone_BN, 0, jnp.where(here_BN, sum_B1, usage_BN)))


def opened(store, start_NM, count: int, policy: str, wants_B):
  """Opens `count` slots in the rows that want it, as far as the policy lets it.

  Args:
    store: As `merged` takes it.
    start_NM: What a slot holds that is opened.

  Returns:
    The store, opened slots of age 1 in it, and opened_BNG: 1 where slot n is the i-th that was opened.
  """
  slots = store['ages'].shape[1]
  if policy == 'merge':
    for _ in range(count):
      free_B = jnp.sum(store['ages'] == 0, -1)
      store = merged(store, wants_B & (free_B < count))
  free_BN = store['ages'] == 0
  # Free slots in their order, then those least used; use is never below 0.
  turn_BN = jnp.where(free_BN, jnp.arange(slots) - slots, store['usage'])
  chosen_BG = jnp.argsort(turn_BN, axis=-1)[:, :count]
  opened_BNG = jnp.swapaxes(jax.nn.one_hot(chosen_BG, slots, dtype=start_NM.dtype), 1, 2)
  may_BN = wants_B[:, None] & (free_BN | (policy == 'evict'))
  opened_BNG *= may_BN[..., None]
  new_BN = jnp.any(opened_BNG > 0, -1)
  return dict(slots=jnp.where(new_BN[..., None], start_NM, store['slots']), ages=jnp.where(new_BN, 1, store['ages']),
              usage=jnp.where(new_BN, 0, store['usage'])), opened_BNG
