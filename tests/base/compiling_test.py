"""Narrow weights of a loop are widened one at a time, and the answer is the same."""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base import arrays, compiling


def through(w_LDD, x_BD):
  return jax.lax.scan(lambda x_BD, w_DD: (jnp.tanh(x_BD @ w_DD), None), x_BD, w_LDD)[0]


def test_one_layer_is_widened_at_a_time():
  w_LDD = jax.random.normal(jax.random.key(0), (16, 128, 128), 'bfloat16') * 0.1
  x_BD = jnp.ones((1, 128), 'bfloat16')
  lowered = jax.jit(through).lower(w_LDD, x_BD)
  compiled = lowered.compile(compiler_options=compiling.options(w_LDD))
  assert compiled.memory_analysis().temp_size_in_bytes < arrays.bytes_of(w_LDD) / 2
  np.testing.assert_array_equal(compiled(w_LDD, x_BD), lowered.compile()(w_LDD, x_BD))


def test_wide_weights_are_compiled_as_ever():
  assert compiling.options(dict(a=jnp.zeros(3), b=jnp.zeros(3, jnp.int8))) is None
