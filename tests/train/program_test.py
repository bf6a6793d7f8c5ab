"""The compiled step counts its operations, is compiled once, and tells what broke in it."""

import jax
import jax.numpy as jnp

from latentmem.train.program import Program
from launch import parts
from tests.train import small
from tests.train.step_test import advanced, program, with_bad


def test_the_layer_that_broke_is_named():
  p = program(small.Fragile(), skips_allowed=0)
  bad = with_bad(small.batch())
  state, _ = advanced(p, bad)
  assert 'Fragile/layers[1]' in p.culprit(state, p.place.batch(bad))
  params = jax.tree.map(jnp.array, state.params)
  params['params']['layers']['weight'] = params['params']['layers']['weight'].at[2].set(jnp.nan)
  assert p.culprit(state._replace(params=params), p.place.batch(bad)) == 'parameter params/layers/weight'


def test_telemetry_has_a_number_for_each_layer_and_head():
  built = parts.build(small.config(memory='titans'))
  program = Program(built.model, built.train, built.place)
  told = program.watch(program.create(0), small.batch())
  assert told['nonfinite'] == 0
  for name in ('surprise_before', 'surprise_after', 'forget', 'momentum', 'step_size', 'norm_change', 'norm_momentum'):
    assert told[name].shape == (1, 1), name


def test_operations_grow_with_the_rows():
  one, two = (program(rows=rows).flops(small.batch(rows=rows)) for rows in (8, 16))
  assert one > 0 and two == 2 * one


def test_a_step_is_compiled_once():
  p = program()
  state, _ = advanced(p, small.batch())
  first = p._compiled
  p.step(state, p.place.batch(small.batch(seed=1)))
  assert p._compiled is first
