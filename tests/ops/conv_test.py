"""The short convolution keeps to its document, its row and its real tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import conv
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')
BATCH, LENGTH, TAPS, CHANNELS = 4, 9, 4, (2, 3)


def draw(seed=0, taps=TAPS, length=LENGTH):
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(BATCH, length, *CHANNELS))
  tail = rng.normal(size=(BATCH, taps - 1, *CHANNELS))
  kernel = rng.normal(size=(taps, *CHANNELS))
  reset = rng.uniform(size=(BATCH, length)) < 0.2
  return tail, x, kernel, reset, np.arange(length) < np.array([length, 5, 1, 0])[:, None]


def real(y, mask):
  return np.where(mask[..., None, None], y, 0)


def loop(tail, x, kernel, reset, mask):
  """A list of the document's tokens so far, row by row."""
  y, ends, before = np.zeros(x.shape), np.zeros(tail.shape), tail.shape[1]
  for b in range(x.shape[0]):
    seen = list(tail[b])
    for t in range(x.shape[1]):
      if not mask[b, t]:
        continue
      seen = ([] if reset[b, t] else seen) + [x[b, t]]
      y[b, t] = sum(kernel[-1 - back] * seen[-1 - back] for back in range(len(kernel)) if back < len(seen))
    for back in range(min(before, len(seen))):
      ends[b, before - 1 - back] = seen[-1 - back]
  return ends, y


@pytest.mark.parametrize('taps', [1, 2, 4])
@pytest.mark.parametrize('seed', [0, 1])
def test_equals_a_loop(seed, taps):
  inputs = draw(seed, taps)
  want_tail, want = loop(*inputs)
  for form in (conv.short_conv, conv.short_conv_in_turn):
    tail, y = jax.jit(form)(*inputs)
    assert_close(tail, want_tail)
    assert_close(real(y, inputs[-1]), want)


@pytest.mark.parametrize('length', [LENGTH, 64, 130])
def test_at_once_equals_in_turn_with_gradients(length):
  *arrays, reset, mask = draw(2, length=length)
  def score(form):
    def number(tail, x, kernel):
      tail, y = form(tail, x, kernel, reset, mask)
      return jnp.sum(jnp.sin(jnp.where(mask[..., None, None], y, 0))) + jnp.sum(jnp.cos(tail))
    return jax.jit(jax.value_and_grad(number, argnums=(0, 1, 2)))(*arrays)
  assert_close(score(conv.short_conv), score(conv.short_conv_in_turn))


@pytest.mark.parametrize('length', [LENGTH, 130])
def test_the_gradient_at_the_taps_is_the_same_by_blocks(length):
  tail, x, kernel, *_ = draw(5, length=length)
  rng = np.random.default_rng(6)
  here, d_y = rng.uniform(size=(BATCH, length, TAPS - 1)) < 0.7, rng.normal(size=x.shape)
  given = [jnp.asarray(a) for a in (np.concatenate([tail, x], 1), kernel, here, d_y)]
  assert_close(conv._kernel_back_by_blocks(*given), conv._kernel_back(*given))


@pytest.mark.parametrize('cuts', [(1, 2, 3), (4,), (8,)])
def test_any_cut_is_the_same_as_whole(cuts):
  tail, x, kernel, reset, mask = draw(3)
  read = jax.jit(conv.short_conv)
  want_tail, want = read(tail, x, kernel, reset, mask)
  answers = []
  for start, end in zip((0, *cuts), (*cuts, LENGTH)):
    tail, y = read(tail, x[:, start:end], kernel, reset[:, start:end], mask[:, start:end])
    answers.append(y)
  assert_close(tail, want_tail)
  assert_close(real(np.concatenate(answers, axis=1), mask), real(want, mask))


def test_a_finished_document_is_not_in_the_tail():
  tail, x, kernel, _, mask = draw(4)
  reset = np.arange(LENGTH) == np.array([LENGTH - 1, -1, -1, -1])[:, None]
  tail, _ = jax.jit(conv.short_conv)(tail, x, kernel, reset, np.ones_like(mask))
  np.testing.assert_array_equal(tail[0, :-1], 0)
  np.testing.assert_array_equal(tail[0, -1], x[0, -1])
  np.testing.assert_array_equal(tail[1], x[1, -3:])
