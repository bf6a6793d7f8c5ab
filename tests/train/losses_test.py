"""The loss is nats per scored token."""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.train import losses


def test_loss_is_the_weighted_sum_of_minus_log_probabilities():
  rng = np.random.default_rng(0)
  logits_BTV, targets_BT = rng.normal(size=(2, 3, 5)).astype(np.float32), rng.integers(5, size=(2, 3))
  weights_BT = np.array([[1, 0, 2], [0.5, 1, 0]], np.float32)
  wanted = 0.0
  for b in range(2):
    for t in range(3):
      p_V = np.exp(logits_BTV[b, t]) / np.exp(logits_BTV[b, t]).sum()
      wanted -= weights_BT[b, t] * np.log(p_V[targets_BT[b, t]])
  np.testing.assert_allclose(losses.next_token(logits_BTV, targets_BT, weights_BT), wanted, rtol=1e-6)


def test_z_loss_adds_the_squared_log_partition():
  logits_BTV = jnp.log(jnp.array([[[1.0, 2.0, 5.0]]]))
  plain, with_z = (losses.next_token(logits_BTV, jnp.array([[1]]), jnp.ones((1, 1)), z) for z in (0.0, 0.1))
  np.testing.assert_allclose(with_z - plain, 0.1 * np.log(8.0) ** 2, rtol=1e-6)


def test_targets_that_are_not_scored_are_not_read():
  logits_BTV = jnp.zeros((1, 2, 4))
  loss, grad = jax.value_and_grad(losses.next_token)(logits_BTV, jnp.array([[1, 99]]), jnp.array([[1.0, 0.0]]))
  np.testing.assert_allclose(loss, np.log(4), rtol=1e-6)
  assert not grad[0, 1].any()


def test_nothing_scored_is_no_loss_and_no_nan():
  weights_BT = jnp.zeros((1, 2))
  loss = losses.next_token(jnp.zeros((1, 2, 4)), jnp.zeros((1, 2), int), weights_BT) / losses.total_weight(weights_BT)
  assert loss == 0


def test_bfloat16_logits_are_summed_in_float32():
  logits_BTV = jnp.zeros((4, 128, 3), jnp.bfloat16)
  loss = losses.next_token(logits_BTV, jnp.zeros((4, 128), int), jnp.ones((4, 128)))
  np.testing.assert_allclose(loss, 512 * np.log(3), rtol=1e-6)
