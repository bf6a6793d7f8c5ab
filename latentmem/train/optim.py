"""How parameters move: AdamW, its learning rate over time, and which parameters decay."""

from collections.abc import Callable
import re

import jax
import jax.numpy as jnp
import optax

from latentmem.base import arrays
from latentmem.base.errors import check_known

SCHEDULES = ('cosine', 'linear', 'constant', 'wsd')


def schedule(kind: str, peak: float, steps: int, warmup: int = 0, final: float = 0.0, decay: float = 0.2) -> Callable:
  """Learning rate as a function of the updates made so far.

  All rise linearly over `warmup` updates to `peak`. 'cosine' and 'linear' then fall to `final` times the peak at
  `steps`; 'constant' stays; 'wsd' (warm-up, stable, decay; Hu et al. 2024, MiniCPM) stays until the last share
  `decay` of the steps, over which it falls linearly.

  A run shorter than its warm-up ends before the peak. Raises InputError for an unknown kind.
  """
  check_known(kind, SCHEDULES, 'train', 'schedule')
  after, end = max(steps - warmup, 1), peak * final
  if kind == 'cosine':
    main = optax.cosine_decay_schedule(peak, after, alpha=final)
  elif kind == 'linear':
    main = optax.linear_schedule(peak, end, after)
  elif kind == 'constant':
    main = optax.constant_schedule(peak)
  else:
    fall = min(after, max(1, round(steps * decay)))
    main = optax.linear_schedule(peak, end, fall, transition_begin=after - fall)
  # The first update uses 1 / warmup of the peak, not 0 of it.
  rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
  return optax.join_schedules([rise, main], [warmup]) if warmup else main


def adamw(weight_decay: float, undecayed: str, beta1: float = 0.9, beta2: float = 0.95, epsilon: float = 1e-8):
  """AdamW (Loshchilov and Hutter 2019) without its learning rate: `step` multiplies by it.

  Parameters whose path (names joined with '/') matches the pattern `undecayed` do not decay.
  """
  return optax.chain(
      optax.scale_by_adam(beta1, beta2, epsilon),
      optax.add_decayed_weights(weight_decay, mask=lambda params: decays(params, undecayed)))


def decays(params, undecayed: str):
  """True at the parameters that decay."""
  return jax.tree_util.tree_map_with_path(lambda path, _: not re.search(undecayed, arrays.name_of(path)), params)


def clipped(grads, norm: jax.Array, limit: float):
  """Gradients scaled so that their global norm, `norm`, is at most `limit`; as they are where limit is 0."""
  if not limit:
    return grads
  scale = jnp.minimum(1, limit / jnp.maximum(norm, 1e-30))
  return jax.tree.map(lambda g: g * scale.astype(g.dtype), grads)
