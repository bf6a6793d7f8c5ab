"""What passes between two models in so many bits: numbers of few levels, or tokens of a vocabulary.

  levels   i = floor((tanh x + 1) L / 2), heard as (2 i + 1) / L - 1, with L = 2^b      b bits a number
  tokens   i = argmax_v l_v, heard as e_i, with V of them                               log2 V bits a token

What is rounded has no gradient; training hears the same, and takes the gradient that tanh x would have (finite scalar
quantisation, Mentzer et al. 2023, arXiv 2309.15505), or softmax(l) e, with Gumbel noise on l so that every token is
tried (straight-through Gumbel-softmax, Jang et al. 2016, arXiv 1611.01144).
V tokens of the vocabulary, M width.
"""

import jax
import jax.numpy as jnp


def levels(x, bits: int):
  """Numbers to levels, int32 from 0 to 2^bits - 1."""
  count = 2 ** bits
  return jnp.clip(jnp.floor((jnp.tanh(x) + 1) * (count / 2)), 0, count - 1).astype(jnp.int32)


def of_levels(i, bits: int, dtype=jnp.float32):
  """What levels are heard as, from -1 to 1, both excluded."""
  return ((2 * i + 1) / 2 ** bits - 1).astype(dtype)


def through_levels(x, bits: int):
  """`of_levels` of `levels`, with the gradient of tanh x."""
  smooth = jnp.tanh(x)
  return smooth + jax.lax.stop_gradient(of_levels(levels(x, bits), bits, x.dtype) - smooth)


def tokens(l_V):
  """Scores [..., V] to the token that is said, int32."""
  return jnp.argmax(l_V, -1).astype(jnp.int32)


def through_tokens(l_V, key=None):
  """The token that is said as a row of 0 and a 1, [..., V], with the gradient of softmax; `key` adds Gumbel noise."""
  l_V = l_V if key is None else l_V + jax.random.gumbel(key, l_V.shape, l_V.dtype)
  smooth_V = jax.nn.softmax(l_V)
  return smooth_V + jax.lax.stop_gradient(jax.nn.one_hot(tokens(l_V), l_V.shape[-1], dtype=l_V.dtype) - smooth_V)
