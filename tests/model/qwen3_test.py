"""Qwen3: its equations in a loop, a model's promises, and changes that each row has for itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import model
from latentmem.base import arrays, sharding
from latentmem.base.errors import InputError
from latentmem.model import interface, qwen3
from latentmem.train.state import batch_axes
from tests import promises
from tests.checks import assert_close, assert_finite
from tests.model import qwen3_in_numpy, subjects
from tests.model.decoder_test import loss_of, step_inputs

pytestmark = pytest.mark.usefixtures('x64')

# Heads x head width is not the width, and the window is shorter than what is read.
SMALL = dict(vocab=11, width=8, layers=2, heads=4, kv_heads=2, head_width=6, hidden=12, context=6, rope_base=100.0,
             eps=1e-3, dtype='float64', param_dtype='float64')


def small(**chosen):
  return model.make('qwen3', **SMALL | chosen)


def shapes_of(it):
  return jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))


@functools.cache
def subject(**chosen):
  it = small(**chosen)
  params = subjects.params_of(it)
  x = jax.random.randint(jax.random.key(3), (promises.BATCH, promises.LENGTH), 0, it.vocab)
  init_state = lambda params: it.apply(params, promises.BATCH, method='init_state')
  return promises.Subject(params, x, (x + 1) % it.vocab, init_state, subjects.read_tokens(it), it.align,
                          subjects.rows_of)


@pytest.mark.parametrize('promise', [*promises.ALL, promises.holes_in_a_mask_are_no_tokens],
                         ids=lambda promise: promise.__name__)
def test(promise):
  promise(subject())


@pytest.mark.parametrize('chosen', [
    dict(), dict(tie=False), dict(kv_heads=1), dict(kv_heads=4, head_width=0), dict(context=40, layers=3)], ids=str)
def test_it_is_its_equations_in_a_loop(chosen):
  it = small(**chosen)
  params, tokens = subjects.params_of(it), np.random.default_rng(0).integers(0, it.vocab, (2, 13))
  _, logits = it.apply(params, tokens, method='first')
  for row in range(2):
    assert_close(logits[row], qwen3_in_numpy.logits(model.fields('qwen3', **SMALL | chosen), params, tokens[row]))


@functools.cache
def as_they_are():
  inputs = step_inputs(small(), rows=2)
  return inputs, loss_of(small())(*inputs)


@pytest.mark.parametrize('chosen', [dict(scan=False), dict(remat='none'), dict(remat='dots')], ids=str)
def test_how_layers_are_compiled_changes_nothing(chosen):
  inputs, want = as_they_are()
  assert_close(loss_of(small(**chosen))(*inputs), want)


def changes(it, rows, rank=3, seed=0, names=None):
  """A change of every projection for each row."""
  rng = np.random.default_rng(seed)
  draw = lambda *shape: jnp.asarray(0.3 * rng.standard_normal((it.layers, rows, *shape)))
  return dict(block={name: dict(a=draw(into, rank), b=draw(rank, out))
                     for name, (into, out) in it.projections.items() if names is None or name in names})


def merged(params, lora, row):
  """Parameters with the changes of one row added to the weights."""
  block = dict(params['params']['block'])
  for name, pair in lora['block'].items():
    weight = block[name]['weight']
    change = jnp.einsum('lnr,lro->lon', pair['a'][:, row], pair['b'][:, row])
    block[name] = dict(weight=weight + change.reshape(weight.shape))
  return dict(params=params['params'] | dict(block=block))


@pytest.mark.parametrize('names', [None, 'qo', ['k', 'down'], ['v', 'gate', 'up']], ids=str)
def test_a_row_s_change_is_that_of_its_weights(names):
  it, s = small(), subject()
  lora = changes(it, promises.BATCH, names=names)
  state, y = it.apply(dict(s.params, lora=lora), s.lived, s.x)
  assert np.abs(np.asarray(y - s.read(s.x, s.lived)[1])).max() > 1e-3
  for row in range(promises.BATCH):
    want_state, want = s.jitted(merged(s.params, lora, row), s.lived, s.x, None, None, True, False)
    assert_close(y[row], want[row])
    assert_close(s.rows(state)[row], s.rows(want_state)[row])


def test_a_row_s_change_reaches_no_other_row():
  it, s = small(), subject()
  lora, other = changes(it, promises.BATCH), changes(it, promises.BATCH, seed=1)
  lived = s.lived
  read = jax.jit(lambda lora: it.apply(dict(s.params, lora=lora), lived, s.x)[1])
  before = np.asarray(read(lora))
  for row in range(promises.BATCH):
    after = np.asarray(read(jax.tree.map(lambda a, b, row=row: a.at[:, row].set(b[:, row]), lora, other)))
    np.testing.assert_array_equal(np.delete(after, row, 0), np.delete(before, row, 0))
    assert np.all(after[row] != before[row])


def test_changes_can_be_learned_and_the_weights_stay():
  """Gradients of a and b alone; with b at zero a change is none, and its gradient is there."""
  it, s = small(), subject()
  lora = changes(it, promises.BATCH)
  still = jax.tree_util.tree_map_with_path(lambda path, a: a * (path[-1].key == 'a'), lora)
  assert_close(jax.jit(it.apply)(dict(s.params, lora=still), s.fresh, s.x)[1], s.read(s.x)[1])
  loss = jax.jit(lambda lora: jnp.sum(jnp.sin(it.apply(dict(s.params, lora=lora), s.fresh, s.x)[1])))
  slopes = jax.jit(jax.grad(loss))(lora)
  moved = changes(it, promises.BATCH, seed=2)
  along = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(slopes), jax.tree.leaves(moved)))
  step = lambda size: loss(jax.tree.map(lambda a, d: a + size * d, lora, moved))
  # A difference over 2e-5 is off by its square times third derivatives, which are some thousand times the first.
  np.testing.assert_allclose(along, (step(1e-5) - step(-1e-5)) / 2e-5, rtol=1e-5)


def test_only_the_last_answer_is_the_call_s_last():
  it, s = small(), subject()
  mask = promises.in_front([22, 13, 5])
  state, y = s.read(s.x, s.lived, None, mask)
  got_state, got = it.apply(s.params, s.lived, s.x, mask, method='last')
  assert_close(got, np.stack([y[0, 21], y[1, 12], y[2, 4]]))
  assert_close(got_state, state)


@pytest.mark.parametrize('vocab', [240, 251, 256])
def test_a_large_vocabulary_in_parts_is_the_product_at_once(monkeypatch, vocab):
  it = small(vocab=vocab, dtype='float32', param_dtype='bfloat16')
  params = jax.tree.map(lambda a: a.astype('bfloat16'), subjects.params_of(it))
  h = jax.random.normal(jax.random.key(0), (2, 3, it.width), 'float32')
  want = it.apply(params, h, method='logits')
  monkeypatch.setattr(qwen3, 'LARGE', 1)
  assert_close(it.apply(params, h, method='logits'), want, 1e-6)


def test_eight_devices_equal_one():
  it = small(heads=8, kv_heads=4)
  params, carry, *batch = step_inputs(it)
  want = loss_of(it)(params, carry, *batch)
  mesh = sharding.make_mesh(1, 2, 4)
  placed = [jax.device_put(params, sharding.shardings(params, it.layout, mesh)),
            jax.device_put(carry, sharding.carried(carry, it.layout, mesh, batch_axes(it, params))),
            *jax.device_put(batch, sharding.rows(batch, mesh))]
  assert placed[1]['k'].sharding.spec[:4] == (None, sharding.ROWS, None, 'tensor')
  assert len({str(shard.index) for shard in placed[0]['params']['block']['q']['weight'].addressable_shards}) == 8
  assert_close(loss_of(it)(*placed), want)


def test_types():
  """bfloat16 arithmetic and parameters: logits and scales of norms float32, and the carry keeps its types."""
  it = small(dtype='bfloat16', param_dtype='bfloat16')
  params = interface.init_params(it, jax.random.key(0))
  kinds = jax.tree_util.tree_map_with_path(lambda path, a: (path[-1].key == 'scale', str(a.dtype)), params)
  assert set(jax.tree.leaves(kinds, is_leaf=lambda k: isinstance(k, tuple))) == {(True, 'float32'), (False, 'bfloat16')}
  carry = it.apply(params, 2, method='init_state')
  read = jax.jit(it.apply, static_argnames='parallel')
  for parallel in (True, False):
    end, logits = read(params, carry, jnp.ones((2, 9), jnp.int32), parallel=parallel)
    assert logits.dtype == jnp.float32
    assert_finite(logits)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), end) == jax.tree.map(lambda a: (a.shape, a.dtype), carry)


def test_keys_are_kept_once_for_the_heads_that_share_them():
  size = lambda **chosen: arrays.bytes_of(jax.eval_shape(
      lambda params: small(**chosen).apply(params, 1, method='init_state'), shapes_of(small(**chosen))))
  assert size() == 2 * (2 * 6 * 2 * 6 * 8 + 4)
  assert size(kv_heads=1) == 2 * (2 * 6 * 1 * 6 * 8 + 4)


def test_parameters_at_the_sizes_of_the_family():
  """As published: 0.6B has 0.44B without its embedding, 8B 6.95B."""
  sizes = dict(vocab=151936, head_width=128, kv_heads=8, context=1)
  count = lambda **chosen: arrays.count_of(shapes_of(model.make('qwen3', **sizes, **chosen)))
  assert count(width=1024, layers=28, heads=16, hidden=3072) == 596_049_920
  assert count(width=4096, layers=36, heads=32, hidden=12288, tie=False) == 8_190_735_360


def test_the_start_is_near_uniform():
  it = model.make('qwen3', width=64)
  tokens, targets = jax.random.randint(jax.random.key(1), (2, 2, 32), 0, 256)
  _, logits = it.apply(interface.init_params(it, jax.random.key(0)), tokens, method='first')
  loss = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1))
  assert abs(loss - np.log(256)) < 0.3


@pytest.mark.parametrize('chosen, said', [
    (dict(heads=3), '3 heads do not divide a width of 128'), (dict(head_width=5), 'even head width'),
    (dict(kv_heads=3), 'kv_heads must divide heads'), (dict(remat='ful'), "'full'"), (dict(hidden=0), 'at least 1'),
    (dict(param_dtype='bfloat'), "'bfloat16'"), (dict(rope=1), "no field 'rope'"),
])
def test_fields_that_do_not_fit_are_refused(chosen, said):
  with pytest.raises(InputError, match=said):
    shapes_of(model.make('qwen3', **chosen))
