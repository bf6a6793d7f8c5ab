"""A sequence in pieces on four devices is read as on one: answers, states and all gradients."""

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
import pytest

from latentmem import memory
from latentmem.base import sharding
from latentmem.ops import pieces
from tests.cases import slow
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')
KINDS = dict(linear={}, delta={}, titans=dict(depth=2), titans_network={}, token_state=dict(state=8, stride=2, kept=3))


def reading(kind, rows=4, length=32):
  """A memory, and all that it reads."""
  it = memory.make(kind, width=16, chunk=4, state_dtype='float64', **(dict(heads=2) | KINDS[kind]))
  x_BTD = jax.random.normal(jax.random.key(0), (rows, length, 16), 'float64')
  reset_BT = jnp.zeros((rows, length), bool).at[:, 0].set(True).at[0, 12].set(True).at[-1, 24].set(True)
  params = it.init(jax.random.key(1), method=lambda m: m(m.init_state(rows, 'float64'), x_BTD))
  params = jax.tree.map(lambda p: p + 0.1 * jax.random.normal(jax.random.key(2), p.shape), params)
  state = it.apply(params, method=lambda m: m.init_state(rows, 'float64'))
  # What was read before, the row that begins no document goes on from.
  state = it.apply(params, state, x_BTD[:, ::-1], aligned=True)[0]
  return it, params, state, x_BTD, reset_BT.at[1, 0].set(False)


def measured(it, params, state, x_BTD, reset_BT):
  """State, answers, and gradients for parameters, state and tokens."""
  def loss(params, moving, x_BTD):
    after, y_BTD = it.apply(params, jax.tree.map(lambda a, b: b if a is None else a, moving, state,
                                                 is_leaf=lambda a: a is None), x_BTD, reset_BT, aligned=True)
    kept = sum(jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(after) if jnp.issubdtype(a.dtype, jnp.inexact))
    return jnp.sum(jnp.sin(3 * y_BTD)) + kept, (after, y_BTD)
  moving = jax.tree.map(lambda a: a if jnp.issubdtype(a.dtype, jnp.inexact) else None, state)
  grads, (after, y_BTD) = jax.grad(loss, (0, 1, 2), has_aux=True)(params, moving, x_BTD)
  return after, y_BTD, grads


@pytest.mark.parametrize('kind, sizes', [
    *((kind, (1, 1, 1, 4)) for kind in KINDS if kind != 'titans_network'), slow('titans_network', (1, 1, 1, 4)),
    slow('titans', (1, 2, 1, 2)), slow('delta', (2, 1, 2, 2))])
def test_pieces_are_the_whole(kind, sizes):
  it, *given = reading(kind)
  whole = jax.jit(lambda *given: measured(it, *given))(*given)
  mesh = sharding.make_mesh(*sizes)
  tokens = NamedSharding(mesh, PartitionSpec(sharding.ROWS, sharding.SEQUENCE))
  with jax.set_mesh(mesh):
    assert pieces.count() == sizes[-1]
    params, state, x_BTD, reset_BT = given
    compiled = jax.jit(lambda *given: measured(it, *given)).lower(
        params, state, *(jax.device_put(a, tokens) for a in (x_BTD, reset_BT))).compile()
    assert 'all-gather' in compiled.as_text() or 'collective-permute' in compiled.as_text()
    apart = compiled(params, state, *(jax.device_put(a, tokens) for a in (x_BTD, reset_BT)))
  assert_close(apart, whole, 1e-10)
  assert apart[1].sharding.spec[1] == sharding.SEQUENCE


def test_without_a_mesh_there_are_no_pieces():
  assert pieces.count() == 1
  with jax.set_mesh(sharding.make_mesh(2, 2, 2)):
    assert pieces.count() == 1
