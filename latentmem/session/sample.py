"""From logits to the next token: the likeliest, or one drawn at a temperature from the likeliest few.

B rows, V vocabulary. Every function is pure and keeps the order of the vocabulary; what may not be drawn gets -inf.
Top-p is the nucleus of Holtzman et al. 2020. Filters act after the temperature, top-k before top-p.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base.errors import InputError


def greedy(logits_BV: jax.Array) -> jax.Array:
  """The likeliest token of each row, [B]; the first of equals."""
  return jnp.argmax(logits_BV, axis=-1)


def keep_top_k(logits_BV: jax.Array, k: int) -> jax.Array:
  """Leaves the k likeliest tokens of each row; of equals, the first."""
  order_BV = jnp.argsort(-logits_BV, axis=-1, stable=True)
  rank_BV = jnp.argsort(order_BV, axis=-1)
  return jnp.where(rank_BV < k, logits_BV, -jnp.inf)


def keep_top_p(logits_BV: jax.Array, p: float) -> jax.Array:
  """Leaves each row's smallest set of likeliest tokens whose probabilities add up to p or more; at least one token."""
  order_BV = jnp.argsort(-logits_BV, axis=-1, stable=True)
  sorted_BV = jax.nn.softmax(jnp.take_along_axis(logits_BV, order_BV, axis=-1), axis=-1)
  likelier_BV = jnp.cumsum(sorted_BV, axis=-1) - sorted_BV
  keep_BV = (likelier_BV < p).at[:, 0].set(True)
  back_BV = jnp.argsort(order_BV, axis=-1)
  return jnp.where(jnp.take_along_axis(keep_BV, back_BV, axis=-1), logits_BV, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class Sampler:
  """A way to choose the next token: `sampler(key, logits_BV)` -> token_B, int32.

  Attributes:
    temperature: Logits are divided by it; 0 takes the likeliest token.
    top_k: Draws from so many of the likeliest tokens; 0 from all.
    top_p: Draws from the fewest likeliest tokens that hold this share of the probability; 1 from all.

  Raises InputError for values outside these ranges.
  """

  temperature: float = 1.0
  top_k: int = 0
  top_p: float = 1.0

  def __post_init__(self):
    if not 0 <= self.temperature < float('inf'):
      raise InputError(f'temperature is {self.temperature}; it must be 0 (the likeliest token) or a positive number.')
    if self.top_k < 0:
      raise InputError(f'top_k is {self.top_k}; it must be 0 (all tokens) or a number of tokens.')
    if not 0 < self.top_p <= 1:
      raise InputError(f'top_p is {self.top_p}; it must be above 0 and at most 1 (all tokens).')

  def __call__(self, key: jax.Array, logits_BV: jax.Array) -> jax.Array:
    if self.temperature == 0:
      return greedy(logits_BV).astype(jnp.int32)
    logits_BV = logits_BV.astype(jnp.float32) / self.temperature
    if self.top_k:
      logits_BV = keep_top_k(logits_BV, self.top_k)
    if self.top_p < 1:
      logits_BV = keep_top_p(logits_BV, self.top_p)
    return jax.random.categorical(key, logits_BV).astype(jnp.int32)


class Settings(NamedTuple):
  """What each of many rows draws by: a key's data [B, 2] and its sampler's numbers [B].

  A row draws what its `Sampler` draws alone with that key, if its logits are the same.
  """

  key: jax.Array
  temperature: jax.Array
  top_k: jax.Array
  top_p: jax.Array

  def __call__(self, fold_B: jax.Array, logits_BV: jax.Array) -> jax.Array:
    """token_B, int32. `fold_B` is folded into the keys, as in `jax.random.fold_in`."""
    likeliest_B = greedy(logits_BV).astype(jnp.int32)
    drawn = lambda: jnp.where(self.temperature > 0, self._drawn(fold_B, logits_BV), likeliest_B)
    return jax.lax.cond(jnp.any(self.temperature > 0), drawn, lambda: likeliest_B)

  def _drawn(self, fold_B, logits_BV):
    warm_B1 = jnp.where(self.temperature > 0, self.temperature, 1)[:, None]
    logits_BV = logits_BV.astype(jnp.float32) / warm_B1
    k_B1, p_B1 = self.top_k[:, None], self.top_p[:, None]
    few = lambda: jnp.where(k_B1 > 0, keep_top_k(logits_BV, k_B1), logits_BV)
    logits_BV = jax.lax.cond(jnp.any(k_B1 > 0), few, lambda: logits_BV)
    likely = lambda: jnp.where(p_B1 < 1, keep_top_p(logits_BV, p_B1), logits_BV)
    logits_BV = jax.lax.cond(jnp.any(p_B1 < 1), likely, lambda: logits_BV)

    def one(key, fold, logits_V):
      key = jax.random.fold_in(jax.random.wrap_key_data(key), fold)
      return jax.random.categorical(key, logits_V[None])[0]
    return jax.vmap(one)(self.key, fold_B, logits_BV).astype(jnp.int32)


def settings(samplers, keys) -> Settings:
  """Of a `Sampler` and the data of a key for each row."""
  numbers = lambda name, dtype: np.array([getattr(each, name) for each in samplers], dtype)
  return Settings(np.stack(keys), numbers('temperature', np.float32), numbers('top_k', np.int32),
                  numbers('top_p', np.float32))


GREEDY = Sampler(temperature=0.0)
