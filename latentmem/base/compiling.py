"""What a compiler is told about a program, where it would otherwise spend memory that is not there."""

import jax
import jax.numpy as jnp


def options(params) -> dict[str, str] | None:
  """`compiler_options` of `jax.jit` for a program that reads `params` and makes no gradients of them.

  A CPU multiplies narrow floats (bfloat16, float16) as float32. XLA takes the widening of a layer's matrices out of the
  loop over layers, and so holds all layers a second time at twice the size; left in the loop, it holds one.
  """
  narrow = any(jnp.issubdtype(a.dtype, jnp.floating) and a.dtype.itemsize < 4 for a in jax.tree.leaves(params))
  if not narrow or jax.default_backend() != 'cpu':
    return None
  return {'xla_disable_hlo_passes': 'while-loop-invariant-code-motion'}
