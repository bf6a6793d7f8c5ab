"""Bytes are counted as often as a loop runs, in every way that a compiler writes its groups and its loops."""

import jax
import jax.numpy as jnp
import pytest

from launch.planning import hlo


def compiled(f, *args, shardings=None):
  return jax.jit(f, in_shardings=shardings).lower(*args).compile().as_text()


def f32(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def mesh():
  return jax.make_mesh((8,), ('x',), axis_types=(jax.sharding.AxisType.Auto,))


def test_a_sum_over_devices_is_an_all_reduce():
  rows = jax.NamedSharding(mesh(), jax.P('x'))
  text = compiled(lambda a: jnp.sum(a, axis=0), f32(16, 1000), shardings=rows)
  assert hlo.traffic(text, 8).moved == {'all-reduce': 2 * 4000 * 7 / 8}


@pytest.mark.parametrize('length', [1, 5])
def test_what_a_loop_moves_counts_as_often_as_it_runs(length):
  rows, everywhere = (jax.NamedSharding(mesh(), spec) for spec in (jax.P(None, 'x'), jax.P()))

  def f(w, x):
    return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w)[0]
  text = compiled(f, f32(length, 64, 64), f32(4, 64), shardings=(rows, everywhere))
  moved = hlo.traffic(text, 8).moved
  assert sum(moved.values()) == pytest.approx(length * sum(
      hlo.traffic(compiled(f, f32(1, 64, 64), f32(4, 64), shardings=(rows, everywhere)), 8).moved.values()))
  assert sum(moved.values()) > 0


def test_memory_is_what_goes_in_and_out():
  text = compiled(lambda a, b: jnp.tanh(a) + b, f32(1000), f32(1000))
  assert hlo.traffic(text, 1).memory == 3 * 4000


PROGRAM = '''HloModule step

%body.1 (p.1: (s32[], f32[100,10])) -> (s32[], f32[100,10]) {
  %p.1 = (s32[], f32[100,10]{1,0}) parameter(0)
  %i.1 = s32[] get-tuple-element(%p.1), index=0
  %all.1 = f32[100,10]{1,0} get-tuple-element(%p.1), index=1
  %cut.1 = f32[1,10]{1,0} dynamic-slice(%all.1, %i.1), dynamic_slice_sizes={1,10}
  %sum.1 = f32[1,10]{1,0:S(1)} all-reduce(%cut.1), channel_id=1, replica_groups=GROUPS, to_apply=%add
  %put.1 = f32[100,10]{1,0} dynamic-update-slice(%all.1, %sum.1, %i.1)
  ROOT %out.1 = (s32[], f32[100,10]{1,0}) tuple(%i.1, %put.1)
}

%condition.1 (p.2: (s32[], f32[100,10])) -> pred[] {
  %p.2 = (s32[], f32[100,10]{1,0}) parameter(0)
  %i.2 = s32[] get-tuple-element(%p.2), index=0
  %most.1 = s32[]{:T(128)} constant(7)
  ROOT %less.1 = pred[] compare(%i.2, %most.1), direction=LT
}

ENTRY %main.1 (a.1: f32[100,10]) -> f32[100,10] {
  %a.1 = f32[100,10]{1,0} parameter(0)
  %zero.1 = s32[] constant(0)
  %start.1 = (s32[], f32[100,10]{1,0}) tuple(%zero.1, %a.1)
  %loop.1 = (s32[], f32[100,10]{1,0}) while(%start.1), condition=%condition.1, body=%body.1
  ROOT %end.1 = f32[100,10]{1,0} get-tuple-element(%loop.1), index=1
}
'''


@pytest.mark.parametrize('groups, size', [
    ('{{0,1,2,3},{4,5,6,7}}', 4), ('[4,2]<=[8]', 2), ("mesh['a'=2,'b'=4] {'b'}", 4), ("mesh['a'=2,'b'=4] {'a','b'}", 8),
    ('{}', 8)])
def test_a_loop_of_slices_as_a_tpu_writes_it(groups, size):
  """Seven times: 40 bytes summed over a group; a slice read, and one written from a core's own memory."""
  found = hlo.traffic(PROGRAM.replace('GROUPS', groups), 8)
  assert found.moved == {'all-reduce': pytest.approx(7 * 2 * 40 * (size - 1) / size)}
  assert found.memory == 7 * (2 * 40 + 0)


def test_a_collective_spread_over_a_loop_takes_place_once():
  before = '%zero.1 = s32[] constant(0)'
  first = '%first.1 = f32[1,10]{1,0} all-reduce(%a.1), channel_id=1, replica_groups=[1,8]<=[8]'
  text = PROGRAM.replace('GROUPS', '[1,8]<=[8]').replace(before, f'{before}\n  {first}')
  assert hlo.traffic(text, 8).moved == {'all-reduce': pytest.approx(2 * 40 * 7 / 8)}


def test_of_branches_the_dearest_counts():
  def f(p, a):
    return jax.lax.cond(p, lambda a: jnp.sin(a[:10]).sum(), lambda a: jnp.cumsum(jnp.sin(a)).sum(), a)
  both = hlo.traffic(compiled(f, jax.ShapeDtypeStruct((), bool), f32(100_000)), 1).memory
  dear = hlo.traffic(compiled(lambda a: jnp.cumsum(jnp.sin(a)).sum(), f32(100_000)), 1).memory
  assert 0.5 * dear < both < 2 * dear


@pytest.mark.parametrize('shape, size', [
    ('bf16[3,4]{1,0:T(8,128)(2,1)}', 24), ('pred[5]', 5), ('s4[8]', 4), ('f32[]', 4), ('(f32[2], u8[3]{0:S(1)})', 8),
    ('f8e4m3fn[7]', 7), ('token[]', 0)])
def test_sizes(shape, size):
  assert hlo.size_of(shape) == size
