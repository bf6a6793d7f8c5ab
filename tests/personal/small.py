"""A small base that is not trained, adapters for it, and rows that ask it something."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model, personal
from latentmem.base import arrays
from latentmem.base.spans import NOTHING
from latentmem.model import interface
from latentmem.personal.model import Personal

VOCAB, QUESTION, PEOPLE = 23, 7, 5
BASE = model.fields('qwen3', vocab=VOCAB, width=12, layers=2, heads=2, kv_heads=1, head_width=4, hidden=8, context=24,
                    remat='none')
ADAPTERS = dict(lpm=dict(heads=3, slots=4, slot_width=5, key_width=6), lora=dict(rank=2), prompt=dict(tokens=3),
                none=dict(tokens=3))


def adapter(kind, **chosen):
  return personal.fields(kind, **ADAPTERS[kind] | chosen)


@functools.cache
def built(kind, dtype='float32', **chosen):
  """A model, its parameters, and those of the base, as `apply` takes them, none of them where it started."""
  net = Personal(dict(BASE, dtype=dtype, param_dtype=dtype), adapter(kind, **chosen), PEOPLE, QUESTION)
  return net, shaken(interface.init_params(net, jax.random.key(0)), dtype), dict(base=base_params(dtype)['params'])


@functools.cache
def base_params(dtype):
  shapes = jax.eval_shape(lambda key: interface.init_params(model.make(**BASE), key), jax.random.key(1))
  start = lambda path, s: np.full(s.shape, 'scale' in arrays.name_of(path))
  return shaken(jax.tree_util.tree_map_with_path(start, shapes), dtype)


def shaken(params, dtype):
  """Away from the zeros that hide mistakes."""
  rng = np.random.default_rng(2)
  return jax.tree.map(lambda leaf: jnp.asarray(leaf + 0.3 * rng.normal(size=leaf.shape), dtype), params)


def rows(people=(0, 1, 2, 3), answer=2, seed=0, least=3):
  """Questions of different lengths to these people."""
  rng = np.random.default_rng(seed)
  out = np.full((len(people), 1 + QUESTION + answer), NOTHING, np.int32)
  for row, u in zip(out, people):
    length = rng.integers(least, QUESTION + 1)
    row[0], row[1:1 + length], row[1 + QUESTION:] = VOCAB + u, rng.integers(VOCAB, size=length), rng.integers(
        VOCAB, size=answer)
  return out


def logits(net, params, base, tokens_BT, mask_BT=None):
  mask_BT = np.ones(tokens_BT.shape, bool) if mask_BT is None else mask_BT
  return applied(net, params | base, read, jnp.asarray(tokens_BT), jnp.asarray(mask_BT))


def read(net, tokens_BT, mask_BT):
  return net(net.init_state(tokens_BT.shape[0]), tokens_BT, None, mask_BT)[1]


def given(net, params, base, tokens_BT):
  """What the adapter gives for rows."""
  return applied(net, params | base, Personal.given, jnp.asarray(tokens_BT))


_COMPILED = {}


def applied(net, variables, method, *args):
  """Compiled once for each model and method: operation by operation would take longer than all of it."""
  key = repr(net), method
  if key not in _COMPILED:
    _COMPILED[key] = jax.jit(lambda variables, *args: net.apply(variables, *args, method=method))
  return _COMPILED[key](variables, *args)
