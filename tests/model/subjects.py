"""Subjects for `tests.promises`: what reads sequences of vectors, and whole models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import memory, model
from latentmem.model import compose
from tests import promises

WIDTH, CHUNK = 8, 4
# Small enough that windows close, segments end, and blocks of queries do not fill.
SMALL = dict(heads=2, window=6, segment=8, persistent=3, conv=3, chunk=CHUNK, state=4, stride=2, kept=3, slots=5,
             opened=2, steps=1, settle=1,
             mixer=dict(kind='mag', heads=2, window=6, persistent=3),
             mixer_memory=dict(kind='delta', heads=2, chunk=CHUNK))


def small(room, kind, given):
  """A kind's fields, small."""
  known = room.fields(kind, **dict.fromkeys(given))
  return {name: SMALL.get(name, value) for name, value in known.items() if name not in (*given, 'kind')}


def filled(shapes):
  """Parameters of these shapes in float64: around 1 where they scale, around 0 elsewhere, and never just there."""
  rng = np.random.default_rng(2)
  def leaf(path, a):
    scales = jax.tree_util.keystr(path, simple=True).endswith(('scale', 'norm', 'gain'))
    return jnp.asarray(scales + 0.4 * rng.standard_normal(a.shape))
  return jax.tree_util.tree_map_with_path(leaf, shapes)


def params_of(it):
  """A model's parameters, as `filled` has them."""
  return filled(jax.eval_shape(functools.partial(model.interface.init_params, it), jax.random.key(0)))


def vectors():
  return jax.random.normal(jax.random.key(0), (2, promises.BATCH, promises.LENGTH, WIDTH), jnp.float64)


def layer(module, align=1):
  """The subject of a module that reads vectors."""
  x, other = vectors()
  first = lambda mdl, x: mdl(mdl.init_state(x.shape[0], x.dtype), x)
  params = filled(jax.eval_shape(lambda key: module.init(key, x, method=first, mutable=['params']), jax.random.key(0)))

  def read(params, state, x, reset, mask, parallel, aligned):
    return module.apply(params, state, x, reset, mask, parallel=parallel, aligned=aligned)

  init_state = lambda params: module.apply(params, promises.BATCH, 'float64', method='init_state')
  return promises.Subject(params, x, other, init_state, read, align)


@functools.cache
def composition(kind, held):
  """A composition around a memory."""
  fields = small(compose, kind, compose.find(kind).given)
  memory_fields = dict(kind=held) | small(memory, held, ('width', 'state_dtype'))
  mixer = compose.make(kind, width=WIDTH, memory_fields=memory_fields, state_dtype='float64', **fields)
  return layer(mixer, mixer.align)


def decoder(kind, held, **chosen):
  """A small decoder in float64."""
  return model.make(
      'decoder', vocab=11, width=WIDTH, layers=2, dtype='float64', state_dtype='float64',
      compose=dict(kind=kind) | small(compose, kind, compose.find(kind).given),
      memory=dict(kind=held) | small(memory, held, ('width', 'state_dtype')), **chosen)


def read_tokens(it):
  """Reads tokens with a model, as `promises.Subject` asks."""
  def read(params, carry, tokens, reset, mask, parallel, aligned):
    return it.apply(params, carry, tokens, reset, mask, parallel=parallel, aligned=aligned)
  return read


def rows_of(carry):
  """A model's carry [L, B, ...], row by row."""
  row = lambda b: jax.tree.map(lambda a: a[:, b], carry)
  return [row(b) for b in range(promises.BATCH)]


@functools.cache
def language(kind, held, **remembers):
  """A decoder as a subject: tokens in, logits out."""
  it = decoder(kind, held)
  it = it.clone(memory=it.memory | remembers)
  params = params_of(it)
  x = jax.random.randint(jax.random.key(3), (promises.BATCH, promises.LENGTH), 0, it.vocab)
  init_state = lambda params: it.apply(params, promises.BATCH, method='init_state')
  return promises.Subject(params, x, (x + 1) % it.vocab, init_state, read_tokens(it), it.align, rows_of)
