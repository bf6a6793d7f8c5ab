"""The next token is drawn from what the filters leave, in the right proportions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.session import sample

PROBABILITY_V = np.array([0.05, 0.5, 0.2, 0.25])
LOGITS_BV = jnp.log(jnp.array([PROBABILITY_V, PROBABILITY_V[::-1]], jnp.float32)) + 3.0


def share(sampler, draws=20_000):
  """How often each token is drawn, [B, V]."""
  draw = jax.jit(jax.vmap(sampler, (0, None)))
  drawn_NB = np.asarray(draw(jax.random.split(jax.random.key(0), draws), LOGITS_BV))
  return np.stack([np.bincount(row, minlength=4) / draws for row in drawn_NB.T])


def test_greedy_takes_the_likeliest_and_the_first_of_equals():
  assert sample.greedy(LOGITS_BV).tolist() == [1, 2]
  assert sample.greedy(jnp.zeros((1, 4))).tolist() == [0]
  assert sample.GREEDY(jax.random.key(0), LOGITS_BV).tolist() == [1, 2]


def test_top_k_keeps_exactly_k_even_among_equals():
  left = np.isfinite(sample.keep_top_k(LOGITS_BV, 2))
  assert left.tolist() == [[False, True, False, True], [True, False, True, False]]
  assert np.isfinite(sample.keep_top_k(jnp.zeros((1, 5)), 2)).tolist() == [[True, True, False, False, False]]
  assert np.isfinite(sample.keep_top_k(LOGITS_BV, 9)).all()


@pytest.mark.parametrize('p, tokens', [(0.01, [1]), (0.49, [1]), (0.6, [1, 3]), (0.8, [1, 2, 3]), (0.96, [0, 1, 2, 3])])
def test_top_p_keeps_the_smallest_set_that_holds_p(p, tokens):
  left_BV = np.isfinite(sample.keep_top_p(LOGITS_BV, p))
  assert np.flatnonzero(left_BV[0]).tolist() == tokens
  assert np.flatnonzero(left_BV[1]).tolist() == sorted(3 - t for t in tokens)


# Four standard deviations of a share of 20,000 draws are at most 0.015.
@pytest.mark.parametrize('sampler, want_V', [
    (sample.Sampler(), PROBABILITY_V),
    (sample.Sampler(temperature=0.5), PROBABILITY_V**2 / np.sum(PROBABILITY_V**2)),
    (sample.Sampler(temperature=2.0), PROBABILITY_V**0.5 / np.sum(PROBABILITY_V**0.5)),
    (sample.Sampler(top_k=2), np.array([0, 2, 0, 1]) / 3),
    (sample.Sampler(top_p=0.9), np.array([0, 0.5, 0.2, 0.25]) / 0.95),
    # The temperature comes first: at 0.5 tokens 1 and 3 hold 0.89 of the probability, at 1 they hold 0.75.
    (sample.Sampler(temperature=0.5, top_p=0.85), np.array([0, 4, 0, 1]) / 5),
    # Top-k comes first: of what it leaves, token 1 alone holds 2/3.
    (sample.Sampler(top_k=2, top_p=0.6), np.array([0, 1, 0, 0])),
])
def test_tokens_are_drawn_in_the_proportions_that_the_filters_leave(sampler, want_V):
  got_BV = share(sampler)
  np.testing.assert_allclose(got_BV[0], want_V, atol=0.015)
  np.testing.assert_allclose(got_BV[1], want_V[::-1], atol=0.015)


def test_the_same_key_draws_the_same_token():
  sampler = sample.Sampler(temperature=1.5)
  draws = [sampler(jax.random.key(k), jnp.zeros((1, 100))).item() for k in (3, 3, 4)]
  assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize('bad', [dict(temperature=-1.0), dict(temperature=float('nan')), dict(temperature=float('inf')),
                                 dict(top_k=-1), dict(top_p=0.0), dict(top_p=1.5)])
def test_values_out_of_range_are_refused_by_name(bad):
  with pytest.raises(InputError, match=f'{next(iter(bad))} is'):
    sample.Sampler(**bad)


def test_rows_of_a_batch_draw_what_their_samplers_draw_alone():
  samplers = [sample.GREEDY, sample.Sampler(), sample.Sampler(0.5, 3), sample.Sampler(1.7, 0, 0.6),
              sample.Sampler(2.0, 7, 0.9)]
  rng = np.random.default_rng(0)
  draw = jax.jit(lambda settings, fold_B, logits_BV: settings(fold_B, logits_BV))
  for turn in range(20):
    logits_BV = jnp.asarray(2 * rng.normal(size=(5, 33)), jnp.float32)
    keys = [jax.random.key(seed) for seed in rng.integers(0, 99, 5)]
    fold_B = np.arange(5) + turn
    alone = [int(each(jax.random.fold_in(key, fold), logits_1V)[0])
             for each, key, fold, logits_1V in zip(samplers, keys, fold_B, logits_BV[:, None])]
    settings = sample.settings(samplers, [np.asarray(jax.random.key_data(key)) for key in keys])
    assert draw(settings, fold_B, logits_BV).tolist() == alone
