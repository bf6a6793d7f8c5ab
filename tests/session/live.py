"""A small model with parameters away from their first values, so that answers depend on all that was read."""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model
from latentmem.model import interface

PIECE = 8


def network(**fields):
  settings = dict(vocab=64, width=16, layers=2, ff=0, tie=False, compose=dict(kind='mag', heads=2, window=6),
                  memory=dict(kind='titans', heads=2, chunk=4))
  return model.make('decoder', **settings | fields)


def shaken(net, size=0.3):
  """Its parameters."""
  rng = np.random.default_rng(1)
  start = jax.jit(lambda: interface.init_params(net, jax.random.key(0)))()
  return jax.tree.map(lambda p: p + jnp.asarray(size * rng.normal(size=p.shape), p.dtype), start)
