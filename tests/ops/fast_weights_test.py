"""Chunks of fast weights are their tokens in turn, values and gradients; and writes leave what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import fast_weights, networks
from tests.cases import slow
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')

BATCH, HEADS, CHUNK, WIDTH = 2, 3, 7, 8


def setting(depth, log_keep=None, log_e=None, step=None):
  """Anchor, weights, momentum, slow parameters, q, k, v, gates; two tokens of the first row are not there."""
  rng = np.random.default_rng(depth)
  normal = lambda *shape: jnp.asarray(rng.normal(size=shape))
  tree = lambda scale: tuple(scale * normal(BATCH, HEADS, *shape) for shape in networks.widths(WIDTH, depth, 4))
  tokens = lambda: normal(BATCH, HEADS, CHUNK, WIDTH)
  real = jnp.ones((BATCH, HEADS, CHUNK)).at[0, :, 5:].set(0)
  gate = lambda fixed: real * (-jax.nn.softplus(normal(BATCH, HEADS, CHUNK)) if fixed is None else fixed)
  step = real * (jax.nn.sigmoid(normal(BATCH, HEADS, CHUNK)) if step is None else step)
  slow = normal(HEADS, WIDTH), normal(HEADS, WIDTH)
  return (tree(0.3), tree(0.3), tree(0.1), slow, tokens(), tokens(), tokens(), gate(log_keep), gate(log_e), step), real


def in_turn(real):
  one = jax.vmap(jax.vmap(fast_weights.token), in_axes=(0, 0, 0, None) + (0,) * 7)
  def read(anchor, weights, momentum, slow, *drive):
    token = lambda moving, drive: one(anchor, *moving, slow, *drive)
    end, y = jax.lax.scan(token, (weights, momentum), [jnp.moveaxis(a, 2, 0) for a in (*drive, real)])
    return end, jnp.moveaxis(y, 0, 2)
  return read


def at_once(real):
  def read(anchor, weights, momentum, slow, q, k, v, log_keep, log_e, step):
    c = fast_weights.coefficients(log_keep, log_e, step, real)
    return fast_weights.chunk(anchor, weights, momentum, slow, q, k, v, c)
  return read


def with_gradients(read, given):
  def loss(*given):
    out = read(*given)
    return sum(jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(out)), out
  return jax.jit(jax.value_and_grad(loss, tuple(range(len(given))), has_aux=True))(*given)


@pytest.mark.parametrize('depth', [1, 2, 3, slow(4)])
def test_a_chunk_is_its_tokens_in_turn(depth):
  given, real = setting(depth)
  assert_close(with_gradients(at_once(real), given), with_gradients(in_turn(real), given))


@pytest.mark.parametrize('log_keep, log_e, step', [
    (0.0, 0.0, None),  # nothing forgotten, momentum never fades
    (-30.0, None, None),  # a to 1: all forgotten
    (None, -30.0, None),  # e to 0: no momentum
    (None, None, 0.0),  # h = 0: nothing written
])
def test_extreme_gates(log_keep, log_e, step):
  given, real = setting(2, log_keep, log_e, step)
  fast, plain = with_gradients(at_once(real), given), with_gradients(in_turn(real), given)
  assert_finite(fast)
  assert_close(fast, plain)


def test_tokens_that_are_not_there_leave_no_trace():
  given, real = setting(2)
  end, _ = jax.jit(at_once(real))(*given)
  shorter_end, _ = jax.jit(at_once(real[..., :5]))(*given[:4], *(a[:, :, :5] for a in given[4:]))
  assert_close(jax.tree.map(lambda a: a[0], end), jax.tree.map(lambda a: a[0], shorter_end))


def test_overlap_is_the_product_over_earlier_keys():
  rng = np.random.default_rng(0)
  keys = rng.normal(size=(BATCH, HEADS, CHUNK, WIDTH)) * 0.3
  shares = rng.uniform(size=(BATCH, HEADS, CHUNK))
  want = np.ones((BATCH, HEADS, CHUNK))
  for b, h, t in np.ndindex(want.shape):
    for s in range(t):
      want[b, h, t] *= 1 - shares[b, h, s] * (keys[b, h, t] @ keys[b, h, s]) ** 2
  assert_close(fast_weights.overlap(keys, shares), want)
  last = fast_weights.overlap_one(keys[..., :-1, :], shares[..., :-1], keys[..., -1, :])
  assert_close(last, want[..., -1])


def test_a_key_seen_again_has_little_left_to_write():
  keys = np.zeros((1, 1, 2, WIDTH))
  keys[..., 0] = 0.99
  assert fast_weights.overlap(keys, np.full((1, 1, 2), 0.999))[0, 0, 1] < 0.05
