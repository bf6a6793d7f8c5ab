"""The first operation that makes something non-finite is found, and its module named."""

import functools

import jax
import jax.numpy as jnp

from latentmem.train import blame
from tests.train import small


def found(f, *args):
  return blame.first_nonfinite(f, *args)


def test_nothing_is_found_where_all_is_finite():
  # Minus infinity is how masks are written.
  f = lambda x: jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf))[0]
  assert found(f, jnp.array([1.0, -1.0])) is None


def test_the_pass_of_a_loop_is_named():
  f = lambda x, reverse: jax.lax.scan(lambda c, t: (c, jnp.exp(t)), 1.0, x, reverse=reverse)[1].sum()
  x = jnp.array([0.5, 1e3, 1e3, 3.0])
  for reverse, first in ((False, '[1]'), (True, '[2]')):
    place = found(functools.partial(f, reverse=reverse), x)
    assert (place.module, place.operation, place.backward) == (first, 'exp', False)


def test_a_layer_is_named_by_its_place_in_the_stack():
  model, batch = small.Fragile(), small.batch()
  params = model.init(jax.random.key(0), batch['tokens_BT'], method='first')
  read = lambda p, tokens: model.apply(p, jnp.zeros((3, 8, 4)), tokens)[1].sum()
  assert found(read, params, batch['tokens_BT']) is None
  batch['tokens_BT'][0, 0] = small.BAD
  place = found(read, params, batch['tokens_BT'])
  assert (place.module, place.operation, place.backward) == ('Fragile/layers[1]', 'exp', False)
  assert str(place) == 'Fragile/layers[1], in the forward pass (exp)'


def test_a_gradient_that_breaks_alone_is_told_as_one():
  # The square root is finite at 0; its slope is not.
  assert found(lambda x: jnp.sqrt(x).sum(), jnp.zeros(2)).backward


def test_calls_branches_and_remat_are_looked_into():
  inner = jax.jit(lambda x: jnp.exp(x))
  branch = lambda x: jax.lax.cond(x[0] > 0, jax.checkpoint(inner), lambda x: x, x).sum()
  assert found(branch, jnp.array([1e3])).operation == 'exp'
  assert found(branch, jnp.array([-1e3])) is None


def test_names_of_passes_stand_at_the_first_module_inside():
  assert blame.module_of(('jvp(Decoder)', '[1]', 'rematted_computation/block/mixer', '[3]', '')) == (
      'Decoder/block[1]/mixer[3]')
  assert blame.module_of(('transpose(jvp(Decoder))', '[0]', 'block', '')) == 'Decoder/block[0]'
  assert blame.module_of(('', '')) == ''
