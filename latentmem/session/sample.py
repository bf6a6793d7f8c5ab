"""From logits to the next token: the likeliest, or one drawn at a temperature from the likeliest few.

B rows, V vocabulary. Every function is pure and keeps the order of the vocabulary; what may not be drawn gets -inf.
Top-p is the nucleus of Holtzman et al. 2020. Filters act after the temperature, top-k before top-p.
"""

import dataclasses

import jax
import jax.numpy as jnp

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


GREEDY = Sampler(temperature=0.0)
