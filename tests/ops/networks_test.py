"""The memory's network: slopes, norm and gradients are what automatic differentiation says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import networks
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')


def test_gelu_and_its_two_slopes():
  z = jnp.linspace(-6, 6, 101)
  first = jax.vmap(jax.grad(jax.nn.gelu))
  second = jax.vmap(jax.grad(jax.grad(jax.nn.gelu)))
  assert_close(networks.activate_twice(z), (jax.nn.gelu(z), first(z), second(z)))
  assert_close(networks.activate(z), (jax.nn.gelu(z), first(z)))


def test_a_gradient_through_the_norm():
  z, cotangent = np.random.default_rng(0).normal(size=(2, 3, 8))
  normal, scale = networks.normalise(z)
  want, = jax.vjp(lambda z: networks.normalise(z)[0], z)[1](cotangent)
  assert_close(networks.through_norm(normal, scale, cotangent), want)


def test_norm_is_flat_where_nothing_differs():
  normal, scale = networks.normalise(jnp.full((4,), 3.0))
  assert_close((normal, scale), (np.zeros(4), np.full(1, networks.EPS ** 0.5)))


@pytest.mark.parametrize('depth, shapes', [(1, [(4, 4)]), (2, [(4, 12), (12, 4)]), (3, [(4, 12), (12, 12), (12, 4)])])
def test_widths(depth, shapes):
  assert networks.widths(4, depth, 3) == shapes
