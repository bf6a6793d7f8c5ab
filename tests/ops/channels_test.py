"""Channels: few levels and words are what the equations say, and gradients go past what is rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import channels
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')
X = np.random.default_rng(0).normal(size=(3, 5)) * 2


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_a_level_is_the_interval_that_a_number_lies_in(bits):
  got = np.asarray(channels.levels(jnp.asarray(X), bits))
  heard = np.asarray(channels.of_levels(jnp.asarray(got), bits, jnp.float64))
  for x, i, back in zip(X.ravel(), got.ravel(), heard.ravel()):
    edges = [-1 + 2 * k / 2 ** bits for k in range(2 ** bits + 1)]
    assert edges[i] <= np.tanh(x) <= edges[i + 1]
    assert back == pytest.approx((edges[i] + edges[i + 1]) / 2)


def test_what_is_far_out_is_at_the_last_level():
  assert channels.levels(jnp.array([-60.0, 60.0]), 3).tolist() == [0, 7]


def test_training_hears_the_levels_and_differentiates_tanh():
  x = jnp.asarray(X)
  assert_close(channels.through_levels(x, 3), channels.of_levels(channels.levels(x, 3), 3, jnp.float64))
  assert_close(jax.grad(lambda x: jnp.sum(jnp.sin(x) * channels.through_levels(x, 3)))(x),
               jnp.cos(x) * channels.through_levels(x, 3) + jnp.sin(x) * (1 - jnp.tanh(x) ** 2))


def test_training_says_the_likeliest_token_and_differentiates_softmax():
  x, weights = jnp.asarray(X), jnp.asarray(np.random.default_rng(1).normal(size=X.shape))
  assert_close(channels.through_tokens(x), np.eye(5)[np.argmax(X, -1)])
  assert channels.tokens(x).tolist() == np.argmax(X, -1).tolist()
  of = lambda spoken: jax.grad(lambda x: jnp.sum(weights * spoken(x)))(x)
  assert_close(of(channels.through_tokens), of(jax.nn.softmax))


def test_with_a_key_a_token_is_said_as_often_as_it_is_likely():
  odds = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))
  said = jax.vmap(lambda key: channels.through_tokens(odds, key))(jax.random.split(jax.random.key(0), 4000))
  assert set(np.unique(np.round(said, 9))) == {0, 1}
  # Five standard errors of a frequency over 4000 draws.
  assert np.abs(np.mean(said, 0) - np.exp(odds)).max() < 5 * np.sqrt(0.25 / 4000)
