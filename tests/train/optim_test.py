"""Learning rates take the values they promise; clipping and decay touch what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from latentmem.base.errors import InputError
from latentmem.train import optim


def values(kind, **fields):
  rate = optim.schedule(kind, 1.0, 100, **dict(dict(warmup=10, final=0.1), **fields))
  return lambda step: pytest.approx(float(rate(step)), abs=1e-6)


@pytest.mark.parametrize('kind', optim.SCHEDULES)
def test_warm_up_rises_in_equal_parts_to_the_peak(kind):
  rate = values(kind)
  assert [rate(i) for i in (0, 4, 9)] == [0.1, 0.5, 1.0]


def test_cosine_falls_along_half_a_wave():
  rate = values('cosine')
  assert [rate(i) for i in (10, 55, 100)] == [1.0, 0.55, 0.1]
  assert rate(32.5) == 0.1 + 0.9 * (1 + np.cos(np.pi / 4)) / 2


def test_linear_falls_along_a_line():
  rate = values('linear')
  assert [rate(i) for i in (10, 55, 100)] == [1.0, 0.55, 0.1]


def test_constant_stays():
  assert [values('constant')(i) for i in (10, 55, 100)] == [1.0, 1.0, 1.0]


def test_wsd_stays_and_falls_over_its_last_share():
  rate = values('wsd', decay=0.2)
  assert [rate(i) for i in (10, 79, 80, 90, 100)] == [1.0, 1.0, 1.0, 0.55, 0.1]


def test_no_warm_up_starts_at_the_peak():
  assert values('cosine', warmup=0)(0) == 1.0


def test_a_run_shorter_than_its_warm_up_ends_below_the_peak():
  rate = optim.schedule('cosine', 1.0, 4, warmup=10)
  assert [round(float(rate(i)), 6) for i in range(4)] == [0.1, 0.2, 0.3, 0.4]


def test_an_unknown_schedule_is_refused():
  with pytest.raises(InputError, match="'cosin' .did you mean 'cosine'"):
    optim.schedule('cosin', 1.0, 10)


def test_gradients_above_the_limit_keep_their_direction():
  grads = dict(a=jnp.array([3.0]), b=jnp.array([4.0]))
  norm = optax.tree.norm(grads)
  np.testing.assert_allclose(optim.clipped(grads, norm, 1.0)['b'], 0.8, rtol=1e-6)
  np.testing.assert_allclose(optax.tree.norm(optim.clipped(grads, norm, 1.0)), 1.0, rtol=1e-6)


@pytest.mark.parametrize('limit', [0.0, 10.0])
def test_gradients_below_the_limit_or_without_one_stay(limit):
  grads = dict(a=jnp.array([3.0, 4.0]))
  np.testing.assert_array_equal(optim.clipped(grads, optax.tree.norm(grads), limit)['a'], grads['a'])


def test_only_parameters_that_do_not_match_decay():
  params = dict(params=dict(embed=jnp.ones(2), block=dict(norm=dict(scale=jnp.ones(2)), out=jnp.ones(2))))
  wanted = dict(params=dict(embed=False, block=dict(norm=dict(scale=False), out=True)))
  assert optim.decays(params, 'embed|norm') == wanted
  adamw = optim.adamw(0.1, 'embed|norm')
  moves, _ = adamw.update(jax.tree.map(jnp.zeros_like, params), adamw.init(params), params)
  np.testing.assert_allclose(moves['params']['block']['out'], 0.1, rtol=1e-6)
  assert not moves['params']['embed'].any()


def test_adamw_follows_its_equations():
  g, p, beta1, beta2, epsilon = 0.5, 2.0, 0.9, 0.95, 1e-8
  adamw = optim.adamw(0.1, '^$', beta1, beta2, epsilon)
  state, m, v = adamw.init(dict(w=jnp.array(p))), 0.0, 0.0
  for t in (1, 2, 3):
    moves, state = adamw.update(dict(w=jnp.array(g * t)), state, dict(w=jnp.array(p)))
    m, v = beta1 * m + (1 - beta1) * g * t, beta2 * v + (1 - beta2) * (g * t) ** 2
    wanted = m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + epsilon) + 0.1 * p
    np.testing.assert_allclose(moves['w'], wanted, rtol=1e-5)
