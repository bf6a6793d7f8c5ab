"""Chunk after chunk with the backward pass by hand is what automatic differentiation makes of the chunks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.base import arrays
from latentmem.ops import fast_weights, fast_weights_read, networks
from tests.cases import slow
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')

CHUNKS, BATCH, HEADS, CHUNK, WIDTH = 4, 2, 3, 5, 8


def setting(depth, gate=None):
  """State, fresh state, slow parameters, inputs; `gate` puts every gate at one value."""
  rng = np.random.default_rng(0)
  normal = lambda *shape: jnp.asarray(rng.normal(size=shape))
  shapes = networks.widths(WIDTH, depth, 4)
  tree = lambda scale: tuple(normal(BATCH, HEADS, *shape) * scale for shape in shapes)
  tokens = lambda: normal(CHUNKS, BATCH, HEADS, CHUNK, WIDTH)
  scalars = lambda: normal(CHUNKS, BATCH, HEADS, CHUNK)
  log = lambda: -jax.nn.softplus(scalars()) if gate is None else jnp.full_like(scalars(), gate)
  inputs = fast_weights_read.Inputs(tokens(), 0.2 * tokens(), tokens(), log(), log(),
                                    jax.nn.sigmoid(scalars()), jax.nn.sigmoid(scalars()))
  slow = tuple(normal(BATCH, HEADS, WIDTH) for _ in range(2))
  return (tree(0.3), tree(0.1)), (tree(0.3), tree(0.1)), slow, inputs


RENEW_NB = np.zeros((CHUNKS, BATCH), bool)
RENEW_NB[1, 0] = RENEW_NB[2, 1] = True


def in_turn(to_fresh, state, fresh, slow, inputs):
  """What `read` means."""
  def body(state, chunk):
    x, renew_B = chunk
    step = x.step * fast_weights.overlap(x.k, x.share)
    c = fast_weights.coefficients(x.log_keep, x.log_e, step, jnp.ones_like(step))
    state, y = fast_weights.chunk(state[0], *state, slow, x.q, x.k, x.v, c, None,
                                  fresh[0] if to_fresh else None)
    return arrays.pick(renew_B, fresh, state), y
  return jax.lax.scan(body, state, (inputs, jnp.asarray(RENEW_NB)))


def with_gradients(read):
  def loss(*given):
    out = read(*given)
    return sum(jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(out)), out
  return jax.jit(jax.value_and_grad(loss, (0, 1, 2, 3), has_aux=True))


@pytest.mark.parametrize('depth, to_fresh', [
    (1, False), (2, True), (3, True), slow(2, False), slow(4, False)])
def test_equals_automatic_differentiation(depth, to_fresh):
  given = setting(depth)
  want = with_gradients(functools.partial(in_turn, to_fresh))(*given)
  for group in (1, 2):
    read = functools.partial(fast_weights_read.read, group, to_fresh, renew_NB=jnp.asarray(RENEW_NB))
    assert_close(with_gradients(read)(*given), want)


@functools.cache
def renewed(to_fresh):
  return with_gradients(functools.partial(fast_weights_read.read, 2, to_fresh, renew_NB=jnp.asarray(RENEW_NB)))


@pytest.mark.parametrize('to_fresh', [False, True])
@pytest.mark.parametrize('log_gate', [0.0, -1e-12, -50.0, -1e6])
def test_extreme_gates_stay_finite(log_gate, to_fresh):
  assert_finite(renewed(to_fresh)(*setting(2, log_gate)))


def test_groups_divide_and_lie_near_the_root():
  assert [fast_weights_read.group_of(n) for n in (1, 16, 64, 256, 509)] == [1, 1, 8, 16, 1]
