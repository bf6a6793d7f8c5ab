"""Titans with another network: the MLP gives `titans` itself; the others learn what they are told."""

import jax
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from latentmem.ops import networks
from tests.checks import assert_close
from tests.memory import in_numpy

pytestmark = pytest.mark.usefixtures('x64')


def test_with_the_mlp_it_is_titans():
  mlp, general = (in_numpy.setting(memory, kind, heads=2, **fields) for kind, fields in
                  (('titans', {}), ('titans_network', dict(inside='mlp'))))
  read, start, _, x = mlp
  assert_close(general[0](general[1], x), read(start, x))


@pytest.mark.parametrize('inside', ['swiglu', 'residual'])
def test_writing_lessens_the_surprise(inside):
  # Next to no momentum and forgetting: what changes between before and after is the token's own write.
  cell = memory.make('titans_network', width=8, heads=2, chunk=4, inside=inside, keep_start=1e-3, forget_start=1e-3,
                     state_dtype='float64')
  x = np.random.default_rng(0).normal(size=(2, 12, 8))
  start = lambda cell, x: cell(cell.init_state(2, x.dtype), x)
  params = jax.tree.map(lambda a: a.astype('float64'), cell.init(jax.random.key(0), x, method=start))
  _, seen = jax.jit(lambda p, x: cell.apply(p, x, method=start, mutable=['telemetry']))(params, x)
  seen = seen['telemetry']
  assert seen['surprise_after'].mean() < seen['surprise_before'].mean()


def test_swiglu_and_residual_are_their_formulas():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(3, 4))
  a, b, c = rng.normal(size=(4, 8)), rng.normal(size=(4, 8)), rng.normal(size=(8, 4))
  gate = x @ b
  assert_close(networks.swiglu((a, b, c), x), ((x @ a) * gate / (1 + np.exp(-gate))) @ c)
  d = rng.normal(size=(4, 4))
  assert_close(networks.residual((d,), x), x + jax.nn.gelu(x @ d))


@pytest.mark.parametrize('fields, told', [(dict(inside='swiglue'), "did you mean 'swiglu'"),
                                          (dict(layer_scale=True), 'layer_scale')])
def test_what_it_does_not_have_is_refused(fields, told):
  with pytest.raises(InputError, match=told):
    in_numpy.setting(memory, 'titans_network', heads=2, **fields)
