"""The decoder: promises of its carry, its settings, and many devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import memory, model
from latentmem.base import arrays, sharding
from latentmem.base.errors import InputError
from latentmem.model import compose, interface
from latentmem.train.state import batch_axes
from tests import promises
from tests.cases import slow
from tests.checks import assert_close, assert_finite
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')

# What layers promise by themselves, a stack of them keeps; these touch what the decoder adds.
PAIRS = [('mag', 'linear'), ('mac', 'linear'), slow('mac', 'titans')]
PROMISES = (
    promises.any_cut_is_the_same_as_whole, promises.the_future_is_unseen, promises.masked_tokens_leave_no_trace,
    promises.holes_in_a_mask_are_no_tokens, promises.the_state_does_not_grow)


@pytest.mark.parametrize('promise', PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind, held', PAIRS)
def test(kind, held, promise):
  promise(subjects.language(kind, held))


@pytest.mark.parametrize('promise', [*PROMISES, promises.parallel_equals_in_turn_with_gradients,
                                     promises.training_equals_in_turn_with_gradients],
                         ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind', ['plain', slow('mag')])
def test_layers_that_lend_their_weights_keep_the_promises(kind, promise):
  promise(subjects.language(kind, 'titans', weight_residual=True))


@pytest.mark.parametrize('kind', ['plain', 'mag', 'mal'])
def test_what_a_layer_lends_reaches_the_one_above(kind):
  subject = subjects.language(kind, 'titans', weight_residual=True)
  without = jax.tree_util.tree_map_with_path(
      lambda path, p: 0 * p if 'residual_scale' in jax.tree_util.keystr(path) else p, subject.params)
  _, y = subject.read(subject.x)
  _, unlent = subject.jitted(without, subject.fresh, subject.x, None, None, True, False)
  # Nothing is lent in the first chunk.
  assert_close(y[:, :subjects.CHUNK], unlent[:, :subjects.CHUNK])
  assert np.abs(np.asarray(y - unlent))[:, subjects.CHUNK:].max(-1).min() > 1e-6


def loss_of(it):
  def loss(params, carry, tokens, targets, reset):
    carry, logits = it.apply(params, carry, tokens, reset, aligned=True)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)
    return -jnp.mean(chosen), (carry, logits)
  return jax.jit(jax.value_and_grad(loss, has_aux=True))


def step_inputs(it, rows=8, length=16):
  params = subjects.params_of(it)
  carry = it.apply(params, rows, method='init_state')
  tokens, targets = jax.random.randint(jax.random.key(3), (2, rows, length), 0, it.vocab)
  return params, carry, tokens, targets, jnp.zeros((rows, length), bool).at[:, ::8].set(True)


@functools.cache
def as_they_are():
  it = subjects.decoder('mag', 'linear')
  inputs = step_inputs(it, rows=2)
  return inputs, loss_of(it)(*inputs)


@pytest.mark.parametrize('chosen', [dict(scan=False), dict(remat='none'), dict(remat='dots')], ids=str)
def test_how_layers_are_compiled_changes_nothing(chosen):
  inputs, want = as_they_are()
  assert_close(loss_of(subjects.decoder('mag', 'linear', **chosen))(*inputs), want)


@pytest.mark.parametrize('kind, held, sizes', [
    ('mag', 'linear', (1, 4, 2)), slow('mag', 'titans', (1, 4, 2)), slow('mac', 'linear', (2, 2, 2))])
def test_eight_devices_equal_one(kind, held, sizes):
  it = subjects.decoder(kind, held)
  params, carry, *batch = step_inputs(it)
  want = loss_of(it)(params, carry, *batch)
  mesh = sharding.make_mesh(*sizes)
  placed = [jax.device_put(params, sharding.shardings(params, it.layout, mesh)),
            jax.device_put(carry, sharding.carried(carry, it.layout, mesh, batch_axes(it, params))),
            *jax.device_put(batch, sharding.rows(batch, mesh))]
  got = loss_of(it)(*placed)
  qkv = placed[0]['params']['block']['mixer']['attention']['qkv']
  assert len({str(shard.index) for shard in qkv.addressable_shards}) == sizes[1] * sizes[2]
  memory_lies = jax.tree.leaves(placed[1]['memory']['cell'])[-1].sharding.spec
  assert memory_lies[:3] == (None, sharding.ROWS, 'tensor')
  assert_close(got, want)


@pytest.mark.parametrize('kind, held', [
    *((kind, 'linear') for kind in compose.kinds() if compose.find(kind).takes_memory), ('attention', 'none'),
    *(('plain', held) for held in memory.kinds() if held not in ('linear', 'none'))])
def test_the_layout_names_every_parameter(kind, held):
  it = subjects.decoder(kind, held, tie=False)
  shapes = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))
  sharding.specs(shapes, it.layout)


@pytest.mark.parametrize('kind, held', [('mag', 'linear'), slow('mac', 'titans')])
def test_types(kind, held):
  """bfloat16 arithmetic: logits float32, memory float32, and the carry keeps its types."""
  it = subjects.decoder(kind, held).clone(dtype='bfloat16', state_dtype='float32')
  params = interface.init_params(it, jax.random.key(0))
  assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype('float32')}
  carry = it.apply(params, 2, method='init_state')
  read = jax.jit(it.apply, static_argnames='parallel')
  for parallel in (True, False):
    end, logits = read(params, carry, jnp.ones((2, 9), jnp.int32), parallel=parallel)
    assert logits.dtype == jnp.float32
    assert_finite(logits)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), end) == jax.tree.map(lambda a: (a.shape, a.dtype), carry)


def test_telemetry_is_per_layer_and_token_and_changes_nothing(kind='mac'):
  it, subject = subjects.decoder(kind, 'titans'), subjects.language(kind, 'titans')
  read = jax.jit(lambda *args: it.apply(*args, mutable=['telemetry']))
  (carry, logits), seen = read(subject.params, subject.lived, subject.x)
  assert_close((carry, logits), subject.read(subject.x, subject.lived))
  watched = seen['telemetry']['block']['mixer']['memory']
  assert {'surprise_before', 'surprise_after', 'forget', 'momentum', 'step_size'} <= set(watched)
  for name in ('surprise_before', 'surprise_after', 'forget', 'momentum', 'step_size'):
    assert watched[name].shape == (it.layers, *subject.x.shape, 2), name
    assert_finite(watched[name])
  for name in ('norm_change', 'norm_momentum'):
    assert watched[name].shape[:2] == (it.layers, promises.BATCH) and watched[name].shape[-1] == 2


@pytest.mark.parametrize('kind', ['mac', slow('mag')])
def test_what_layers_cost_is_told_once_a_layer(kind):
  it = subjects.decoder(kind, 'titans')
  subject, it = subjects.language(kind, 'titans'), it.clone(memory=it.memory | dict(write_cost=0.5))
  read = lambda parallel: jax.jit(functools.partial(it.apply, parallel=parallel, aligned=True, mutable=['costs']))(
      subject.params, subject.fresh, subject.x[:, :16])
  costs = read(True)[1]['costs']['block']['mixer']['memory']['writing']
  assert costs.shape == (it.layers,) and np.all((0 < np.asarray(costs)) & (np.asarray(costs) < 0.5))
  assert_close(costs, read(False)[1]['costs']['block']['mixer']['memory']['writing'])


def test_the_start_is_near_uniform():
  it = model.make('decoder', width=64, memory=dict(kind='linear', chunk=8))
  params = interface.init_params(it, jax.random.key(0))
  tokens = jax.random.randint(jax.random.key(1), (2, 32), 0, 256)
  _, logits = jax.jit(it.apply)(params, it.apply(params, 2, method='init_state'), tokens)
  targets = jax.random.randint(jax.random.key(2), (2, 32), 0, 256)
  loss = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1))
  # Above log(256): through a tied embedding, a token predicts itself.
  assert np.log(256) < loss < np.log(256) + 3


def test_fields_are_all_on_record():
  fields = model.fields('decoder', compose=dict(kind='mac', segment=128), memory=dict(kind='titans', depth=3))
  assert fields['compose'] == dict(kind='mac', segment=128, heads=4, head_width=0, persistent=4, rope_base=10_000.0,
                                   conv=0, qk_norm=True)
  assert fields['memory']['depth'] == 3 and fields['memory']['chunk'] == 64
  assert not {'width', 'state_dtype', 'memory_fields', 'out_scale'} & {*fields['memory'], *fields['compose']}
  assert model.fields(**fields) == fields
  assert model.fields('decoder', compose=dict(window=8))['compose']['kind'] == 'mag'
  assert model.fields('decoder', compose=dict(kind='attention'))['memory']['kind'] == 'none'


@pytest.mark.parametrize('chosen, said', [
    (dict(widht=3), "'width'"), (dict(compose=dict(kind='mga')), "'mag'"), (dict(compose=dict(windw=8)), "'window'"),
    (dict(memory=dict(kind='titan')), "'titans'"), (dict(memory=dict(chnk=8)), "'chunk'"),
    (dict(memory=dict(width=8)), 'from the model'), (dict(compose=dict(out_scale=8)), 'from the model'),
    (dict(compose=dict(kind='attention'), memory=dict(kind='titans')), "choose 'none'"),
])
def test_wrong_fields_are_refused_with_what_would_do(chosen, said):
  with pytest.raises(InputError, match=said):
    model.fields('decoder', **chosen)


@pytest.mark.parametrize('chosen, said', [
    (dict(compose=dict(kind='mac', segment=48), memory=dict(chunk=32)), 'segment 48 with chunk 32'),
    (dict(compose=dict(heads=3)), '3 heads do not divide a width of 128'), (dict(remat='ful'), "'full'"),
    (dict(compose=dict(join='gatee')), "'gate'"),
    (dict(compose=dict(kind='mac'), memory=dict(weight_residual=True)), 'no weight_residual'),
    (dict(compose=dict(kind='plain'), memory=dict(kind='titans_network', weight_residual=True)), 'no weight_residual'),
    (dict(compose=dict(window=0)), 'at least 1'),
    (dict(compose=dict(head_width=5)), 'even head width'),
])
def test_fields_that_do_not_fit_one_another_are_refused(chosen, said):
  with pytest.raises(InputError, match=said):
    jax.eval_shape(functools.partial(interface.init_params, model.make('decoder', **chosen)), jax.random.key(0))


def test_align_is_where_documents_may_start():
  align = lambda kind, held, **chosen: model.make(
      'decoder', compose=dict(kind=kind, **chosen), memory=dict(kind=held, chunk=16)).align
  assert align('mag', 'titans') == 16
  assert align('mag', 'linear') == align('mal', 'none') == align('attention', 'none') == 1
  assert align('mac', 'titans', segment=48) == 48


def test_attention_carries_its_context_and_no_more():
  shapes = lambda **chosen: jax.eval_shape(
      lambda params: it.apply(params, 1, method='init_state'),
      jax.eval_shape(functools.partial(interface.init_params, it := model.make(
          'decoder', width=32, compose=dict(kind='attention', **chosen))), jax.random.key(0)))
  assert arrays.bytes_of(shapes(window=16)) == 2 * (2 * 16 * 32 * 4 + 4)
  assert arrays.bytes_of(shapes(context=64)) == 2 * (2 * 64 * 32 * 4 + 4)


@pytest.mark.parametrize('kind', ['mac', 'mag'])
def test_init_makes_parameters_and_nothing_else(kind):
  it = model.make('decoder', vocab=8, width=8, layers=1, compose=dict(kind=kind, heads=2) | (
      dict(segment=4) if kind == 'mac' else {}), memory=dict(kind='titans', heads=2, chunk=2))
  assert set(jax.eval_shape(lambda key: it.init(key, jnp.zeros((1, 4), int), method='first'), jax.random.key(0))) == {
      'params'}
