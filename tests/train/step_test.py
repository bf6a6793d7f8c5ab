"""One step: accumulation changes nothing, what is not finite is not made, and devices do not matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.train import settings
from latentmem.train import state as states
from latentmem.train import step as steps
from latentmem.train.placement import Placement
from latentmem.train.program import Program
from launch import parts
from tests.cases import slow
from tests.train import small


def program(model=None, devices=(1, 1), **fields):
  heads = dict(memory=dict(kind='linear', heads=2, chunk=4))
  config = small.config(**dict(dict(model_fields=heads), **fields))
  built = parts.build(config)
  return Program(model or built.model, settings.Train(**config['train']), Placement(parts.mesh(*devices)))


def advanced(program, *batches):
  state, measured = program.create(0), None
  for each in batches:
    state, measured = program.step(state, program.place.batch(each))
  return state, measured


def with_bad(batch, row=2):
  batch['tokens_BT'][row, 3] = small.BAD
  return batch


def weighted(batch):
  """Rows of unequal weight, so that parts of the batch weigh differently."""
  batch['weights_BT'] = np.random.default_rng(1).integers(0, 2, batch['weights_BT'].shape).astype(np.float32)
  batch['weights_BT'][:4] = 0
  batch['weights_BT'][1, :2] = 1
  return batch


@pytest.mark.parametrize('parts_', [2, slow(8)])
def test_accumulation_equals_the_whole_batch(x64, parts_):
  fields = dict(dtype='float64', state_dtype='float64')
  model = parts.build(small.config(model_fields=fields)).model
  params = jax.tree.map(lambda p: p.astype('float64'), states.create(model, steps.optax.identity(), 8,
                                                                    jax.random.key(0)).params)
  carry = states.fresh_carry(model, params, 8)
  carry = jax.tree.map(lambda c: jnp.asarray(np.random.default_rng(0).normal(size=c.shape)), carry)
  batch, axes = weighted(small.batch()), states.batch_axes(model, params)
  batch['reset_BT'][:] = False
  gradient = lambda n: jax.jit(lambda params: steps.gradient(
      model, params, carry, batch, jax.random.key(0), axes, n, 1e-4))(params)
  whole, split = gradient(1), gradient(parts_)
  assert whole[0] > 0
  # Float64 sums in another order.
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), whole, split)


@pytest.mark.parametrize('parts_', [1, 4])
def test_what_is_frozen_is_read_and_never_moved(parts_):
  fields = settings.Train(**small.config(accumulate=parts_, weight_decay=0.5)['train'])
  table = jax.random.normal(jax.random.key(3), (16, 16))
  frozen = dict(base=dict(table=jnp.array(table)))
  p = Program(small.Adapted(), fields, Placement(parts.mesh(1, 1)), frozen)
  state, told = advanced(p, small.batch(), small.batch(seed=1))
  assert jnp.array_equal(frozen['base']['table'], table) and jax.tree.leaves(state.params)[0].shape == (16, 16)
  assert float(jnp.abs(state.params['params']['change']).max()) > 0
  held = [leaf for leaf in jax.tree.leaves((state.params, state.opt_state)) if leaf.ndim]
  assert len(held) == 3, 'only what is learned has moments'
  other = Program(small.Adapted(), fields, Placement(parts.mesh(1, 1)), dict(base=dict(table=table + 1e-2 * table**2)))
  assert float(advanced(other, small.batch(), small.batch(seed=1))[1]['loss']) != float(told['loss'])


def test_what_a_model_says_it_costs_is_in_the_loss_once(x64):
  memory = dict(kind='titans', heads=1, chunk=4)
  made = lambda **more: parts.build(small.config(model_fields=dict(
      dtype='float64', state_dtype='float64', layers=2, memory=memory | more))).model
  costly, free = made(write_cost=0.3), made()
  params = jax.tree.map(lambda p: p.astype('float64'), states.create(costly, steps.optax.identity(), 8,
                                                                    jax.random.key(0)).params)
  carry, batch, axes = states.fresh_carry(costly, params, 8), small.batch(), states.batch_axes(costly, params)
  loss = lambda model, n: jax.jit(lambda params: steps.gradient(
      model, params, carry, batch, jax.random.key(0), axes, n)[:2])(params)
  whole, split, none = loss(costly, 1), loss(costly, 4), loss(free, 1)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), whole, split)
  # Two layers, r starting at 0.5 for every token.
  assert whole[0] - none[0] == pytest.approx(2 * 0.3 * 0.5 ** 0.5)
  share = lambda grads: grads['params']['block']['mixer']['memory']['share_bias']
  assert np.all(share(whole[1]) > share(none[1]))


def test_rows_split_and_join_again():
  tree, axes = dict(a=jnp.arange(24).reshape(2, 6, 2), b=jnp.arange(6), c=jnp.ones(3)), dict(a=1, b=0, c=-1)
  split = steps.split_rows(tree, axes, 3)
  assert split['a'].shape == (3, 2, 2, 2)
  assert split['b'].tolist() == [[0, 3], [1, 4], [2, 5]]
  assert small.same(steps.join_rows(split, axes), tree)


def test_a_gradient_does_not_follow_the_carry():
  model = small.Fragile()
  params = states.create(model, steps.optax.identity(), 8, jax.random.key(0)).params
  def read(carry):
    _, carry = steps.loss_of(model, params, carry, small.batch(), jax.random.key(0), 1.0)
    return carry.sum()
  assert not jax.grad(read)(states.fresh_carry(model, params, 8)).any()


def test_an_update_that_is_not_finite_is_not_made_and_is_counted():
  p = program(small.Fragile())
  one, _ = advanced(p, small.batch())
  two, measured = advanced(p, small.batch(), with_bad(small.batch(seed=1)))
  assert small.same((one.params, one.opt_state), (two.params, two.opt_state))
  assert not np.isfinite(measured['loss'])
  assert (int(two.skipped), int(two.skipped_in_row), int(two.step)) == (1, 1, 2)
  three, _ = advanced(p, small.batch(), with_bad(small.batch(seed=1)), small.batch(seed=2))
  assert (int(three.skipped), int(three.skipped_in_row), int(three.step)) == (1, 0, 3)
  assert not small.same(three.params, one.params)


def test_a_row_that_went_bad_starts_afresh_and_the_others_go_on():
  p = program(small.Fragile())
  batches = small.batch(), small.batch(seed=1)
  good, _ = advanced(p, *batches)
  bad, _ = advanced(p, batches[0], with_bad(batches[1], row=2))
  assert not np.asarray(bad.carry)[:, 2].any()
  keep = np.arange(8) != 2
  np.testing.assert_array_equal(np.asarray(bad.carry)[:, keep], np.asarray(good.carry)[:, keep])


def test_past_the_limit_nothing_moves_any_more():
  p = program(small.Fragile(), skips_allowed=1)
  batches = [small.batch(), *(with_bad(small.batch(seed=s)) for s in (1, 2, 3)), small.batch(seed=4)]
  before, _ = advanced(p, *batches[:2])
  after, measured = advanced(p, *batches)
  assert int(measured['skipped_in_row']) == 2
  assert small.same((before.params, before.opt_state, before.carry), (after.params, after.opt_state, after.carry))
  assert int(after.step) == 3


def test_what_is_measured_is_the_gradient_before_clipping():
  free, clipped = program(clip=0.0), program(clip=1e-3)
  (_, a), (_, b) = advanced(free, small.batch()), advanced(clipped, small.batch())
  assert float(a['grad_norm']) == pytest.approx(float(b['grad_norm']), rel=1e-5) and a['grad_norm'] > 1e-2


@pytest.mark.parametrize('accumulate, sizes', [(2, (1, 4, 2)), (1, (2, 2, 2)), slow(1, (1, 8, 1))])
def test_eight_devices_equal_one(accumulate, sizes):
  batches = [weighted(small.batch(rows=16, seed=s)) for s in range(3)]
  fields = dict(rows=16, accumulate=accumulate)
  (one, a), (eight, b) = (advanced(program(devices=n, **fields), *batches) for n in ((1, 1, 1), sizes))
  assert len(jax.tree.leaves(eight.carry)[0].sharding.device_set) == 8
  assert not eight.params['params']['block']['mixer']['memory']['qkv'].sharding.is_fully_replicated
  # Float32 sums in another order, through three updates of Adam.
  close = lambda x, y: np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=2e-3, atol=2e-5)
  jax.tree.map(close, (one.params, one.carry, a), (eight.params, eight.carry, b))
