"""Every memory in the room keeps the same promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import memory
from tests import promises
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')

WIDTH, CHUNK = 8, 4
SMALL = dict(heads=2)


def make(kind, state_dtype='float64', chunk=CHUNK):
  """A memory, and parameters away from their initial values, so that no zero hides a term."""
  known = memory.fields(kind, width=WIDTH)
  small = {name: value for name, value in SMALL.items() if name in known}
  cell = memory.make(kind, width=WIDTH, chunk=chunk, state_dtype=state_dtype, **small)
  def first(mdl, x):
    return mdl(mdl.init_state(x.shape[0], x.dtype), x)
  params = cell.init(jax.random.key(1), jnp.zeros((1, CHUNK, WIDTH)), method=first)
  keys = iter(jax.random.split(jax.random.key(2), 100))
  return cell, jax.tree.map(lambda p: p.astype(state_dtype) + 0.3 * jax.random.normal(next(keys), p.shape), params)


@functools.cache
def subject(kind):
  cell, params = make(kind)
  x, other = jax.random.normal(jax.random.key(0), (2, promises.BATCH, promises.LENGTH, WIDTH), jnp.float64)
  def read(params, state, x, reset, mask, parallel, aligned):
    return cell.apply(params, state, x, reset, mask, parallel=parallel, aligned=aligned)
  def init_state(params):
    return cell.apply(params, promises.BATCH, 'float64', method='init_state')
  return promises.Subject(params, x, other, init_state, read, align=1 if cell.resets_anywhere else CHUNK)


@pytest.mark.parametrize('promise', promises.ALL, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind', memory.kinds())
def test(kind, promise):
  promise(subject(kind))


@pytest.mark.parametrize('kind', memory.kinds())
def test_no_mask_and_no_reset_means_all_real_and_one_document(kind):
  cell, params = make(kind)
  it = subject(kind)
  for parallel in (True, False):
    state, y = cell.apply(params, it.fresh, it.x, parallel=parallel)
    assert_close((state, y), it.read(it.x, parallel=parallel))


@pytest.mark.parametrize('parallel', [True, False])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('kind', memory.kinds())
def test_state_and_answers_keep_their_types(kind, dtype, parallel):
  cell, params = make(kind, state_dtype='float32')
  params = jax.tree.map(lambda p: p.astype('float32'), params)
  x = jnp.zeros((2, 10, WIDTH), dtype)
  state = cell.apply(params, 2, dtype, method='init_state')
  end, y = jax.eval_shape(lambda s: cell.apply(params, s, x, parallel=parallel), state)
  assert y.dtype == dtype and y.shape == x.shape
  assert jax.tree.map(lambda a: (a.shape, a.dtype), end) == jax.tree.map(lambda a: (a.shape, a.dtype), state)


@pytest.mark.parametrize('size', [1.0, 1e3])
@pytest.mark.parametrize('kind', memory.kinds())
def test_a_long_input_stays_finite(kind, size):
  """2,000 tokens in float32 from the initial parameters; loud ones, with many the same."""
  cell, params = make(kind, state_dtype='float32', chunk=50)
  params = jax.tree.map(lambda p: p.astype('float32'), params)
  x = size * jax.random.normal(jax.random.key(3), (2, 2000, WIDTH), 'float32')
  x = x.at[1].set(x[1, :2000:500].repeat(500, axis=0))
  def score(params, x):
    state, y = cell.apply(params, cell.apply(params, 2, method='init_state'), x, aligned=True)
    return jnp.mean(jnp.sin(y)), (state, y)
  assert_finite(jax.jit(jax.value_and_grad(score, argnums=(0, 1), has_aux=True))(params, x))


@pytest.mark.parametrize('kind', memory.kinds())
def test_what_is_watched_is_one_number_per_token(kind):
  """...and watching changes nothing."""
  cell, params = make(kind)
  it = subject(kind)
  (state, y), seen = cell.apply(params, it.lived, it.x, mutable=['telemetry'])
  assert_close((state, y), it.read(it.x, it.lived))
  for name, value in seen.get('telemetry', {}).items():
    assert value.shape[:2] == (promises.BATCH, promises.LENGTH), name
    assert_finite(value)


def test_the_room_is_not_empty():
  assert {'none', 'linear', 'delta'} <= set(memory.kinds())
  assert np.all([isinstance(memory.find(kind), type) for kind in memory.kinds()])
