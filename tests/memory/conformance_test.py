"""Every memory in the room keeps the same promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from latentmem.memory import interface
from tests import promises
from tests.cases import slow
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')

# titans_network is Titans with another network; by default it keeps what depends on that, below.
KINDS = [kind for kind in memory.kinds() if kind != 'titans_network']
ALL_KINDS = [*KINDS, slow('titans_network')]
WIDTH, CHUNK = 8, 4
SMALL = dict(heads=2, state=4, stride=2, kept=3, slots=5, opened=2, steps=1, settle=1)


@functools.cache
def make(kind, state_dtype='float64', chunk=CHUNK):
  """A memory, and its parameters."""
  known = memory.fields(kind, width=WIDTH)
  small = {name: value for name, value in SMALL.items() if name in known}
  cell = memory.make(kind, width=WIDTH, chunk=chunk, state_dtype=state_dtype, **small)
  def first(mdl, x):
    return mdl(mdl.init_state(x.shape[0], x.dtype), x)
  params = jax.jit(functools.partial(cell.init, method=first))(jax.random.key(1), jnp.zeros((1, CHUNK, WIDTH)))
  return cell, jax.tree.map(lambda p: np.asarray(p, state_dtype), params)


@functools.cache
def subject(kind):
  cell, params = make(kind)
  rng = np.random.default_rng(0)
  # Away from their initial values, so that no zero hides a term.
  params = jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape), params)
  x, other = rng.normal(size=(2, promises.BATCH, promises.LENGTH, WIDTH))
  def read(params, state, x, reset, mask, parallel, aligned):
    return cell.apply(params, state, x, reset, mask, parallel=parallel, aligned=aligned)
  def init_state(params):
    return cell.apply(params, promises.BATCH, 'float64', method='init_state')
  return promises.Subject(params, x, other, init_state, read, align=1 if cell.resets_anywhere else CHUNK)


@pytest.mark.parametrize('promise', promises.ALL, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind', ALL_KINDS)
def test(kind, promise):
  promise(subject(kind))


@pytest.mark.parametrize('promise', [promises.training_equals_in_turn_with_gradients,
                                     promises.any_cut_is_the_same_as_whole], ids=lambda promise: promise.__name__)
def test_other_networks(promise):
  promise(subject('titans_network'))


@pytest.mark.parametrize('kind', ALL_KINDS)
def test_no_mask_and_no_reset_means_all_real_and_one_document(kind):
  it = subject(kind)
  read = jax.jit(make(kind)[0].apply, static_argnames='parallel')
  for parallel in (True, False):
    assert_close(read(it.params, it.fresh, it.x, parallel=parallel), it.read(it.x, parallel=parallel))


@pytest.mark.parametrize('parallel', [True, False])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('kind', memory.kinds())
def test_state_and_answers_keep_their_types(kind, dtype, parallel):
  cell, params = make(kind, state_dtype='float32')
  x = jnp.zeros((2, 10, WIDTH), dtype)
  state = jax.eval_shape(lambda: cell.apply(params, 2, dtype, method='init_state'))
  end, y = jax.eval_shape(lambda s: cell.apply(params, s, x, parallel=parallel), state)
  assert y.dtype == dtype and y.shape == x.shape
  assert jax.tree.map(lambda a: (a.shape, a.dtype), end) == jax.tree.map(lambda a: (a.shape, a.dtype), state)


@functools.cache
def scored(kind):
  """A number, state and answers of 2,000 tokens, and gradients."""
  cell, params = make(kind, state_dtype='float32', chunk=50)
  def score(params, x):
    state, y = cell.apply(params, cell.apply(params, 2, method='init_state'), x, aligned=True)
    return jnp.mean(jnp.sin(y)), (state, y)
  return params, jax.jit(jax.value_and_grad(score, argnums=(0, 1), has_aux=True))


@pytest.mark.parametrize('size', [1.0, 1e3])
@pytest.mark.parametrize('kind', ALL_KINDS)
def test_a_long_input_stays_finite(kind, size):
  """2,000 tokens in float32 from the initial parameters; loud ones, with many the same."""
  params, score = scored(kind)
  x = (size * np.random.default_rng(3).normal(size=(2, 2000, WIDTH))).astype('float32')
  x[1] = x[1, ::500].repeat(500, axis=0)
  assert_finite(score(params, x))


@pytest.mark.parametrize('kind', ALL_KINDS)
def test_what_is_watched_is_per_token_or_once_a_call(kind):
  """...and watching changes nothing."""
  it = subject(kind)
  out, seen = jax.jit(functools.partial(make(kind)[0].apply, mutable=['telemetry']))(it.params, it.lived, it.x)
  assert_close(out, it.read(it.x, it.lived))
  for name, value in seen.get('telemetry', {}).items():
    assert value.shape[0] == promises.BATCH and value.shape[1] in (promises.LENGTH, 1), name
    assert_finite(value)


def test_the_room_is_not_empty():
  assert {'none', 'linear', 'delta'} <= set(memory.kinds())
  assert all(issubclass(memory.find(kind), interface.Base) for kind in memory.kinds())


def tokens(kind, seed=3):
  """A memory's read (jitted), its parameters, a state in mid-chunk, tokens and others."""
  it, (cell, _) = subject(kind), make(kind)
  rng = np.random.default_rng(seed)
  x, other = rng.normal(size=(2, promises.BATCH, 11, WIDTH))
  return jax.jit(cell.apply, static_argnames=('parallel', 'aligned')), it.params, it.lived, x, other


@pytest.mark.parametrize('kind', ALL_KINDS)
def test_a_token_that_only_asks_moves_nothing(kind):
  read, params, state, x, _ = tokens(kind)
  if type(make(kind)[0]).asked is interface.Base.asked:
    with pytest.raises(InputError, match='writes every token'):
      read(params, state, x, write_BT=np.ones(x.shape[:2], bool))
    return
  write = np.random.default_rng(4).uniform(size=x.shape[:2]) < 0.5
  end, y = read(params, state, x, write_BT=write)
  assert_close(read(params, state, x, write_BT=write, parallel=False), (end, y))
  assert_close(read(params, state, x, write_BT=np.ones_like(write)), read(params, state, x))
  # What is asked changes where it is asked, and nowhere else; the tail of a convolution sees it, so it comes last.
  last = np.arange(11) < 10
  moved = x.copy()
  moved[:, 10] += 1
  first, again = (read(params, state, each, write_BT=np.broadcast_to(last, write.shape)) for each in (x, moved))
  assert_close(again[0]['cell'], first[0]['cell'])
  _, upto = read(params, state, x[:, :10])
  assert_close(first[1][:, :10], upto)


def test_whole_chunks_ask_too():
  read, params, _, x, _ = tokens('titans')
  write = np.arange(8) % 3 > 0
  given = dict(write_BT=np.broadcast_to(write, (promises.BATCH, 8)))
  assert_close(read(params, subject('titans').fresh, x[:, :8], aligned=True, **given),
               read(params, subject('titans').fresh, x[:, :8], parallel=False, **given))


@pytest.mark.parametrize('kind', ALL_KINDS)
def test_what_is_written_may_come_from_other_tokens(kind):
  read, params, state, x, other = tokens(kind)
  if not make(kind)[0].takes_source:
    with pytest.raises(InputError, match='source_BTD'):
      read(params, state, x, source_BTD=other)
    return
  assert_close(read(params, state, x, source_BTD=x), read(params, state, x))
  end, y = read(params, state, x, source_BTD=other)
  assert_close(read(params, state, x, source_BTD=other, parallel=False), (end, y))
  assert_close(read(params, state, other)[0]['cell'], end['cell'])
  if kind != 'none':
    assert np.abs(np.asarray(y - read(params, state, other)[1])).max() > 1e-3
