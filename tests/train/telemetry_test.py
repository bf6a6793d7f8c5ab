"""Telemetry is the mean over tokens, by layer and head, however a model stacks its layers."""

import jax.numpy as jnp
import numpy as np

from latentmem.train import telemetry


def test_stacked_and_separate_layers_give_the_same():
  values_LBTH = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
  stacked = telemetry.by_layer(dict(block=dict(memory=dict(step_size=values_LBTH))))
  apart = telemetry.by_layer({f'block_{i}': dict(memory=dict(step_size=v)) for i, v in enumerate(values_LBTH)})
  np.testing.assert_array_equal(stacked['step_size'], apart['step_size'])
  assert list(stacked) == ['step_size'] and stacked['step_size'].shape == (2, 3, 4, 5)


class Tells:
  """A model that sows what it is given."""

  def __init__(self, **values):
    self.values = values

  def apply(self, *_, mutable, aligned):
    assert mutable == ['telemetry']
    return None, dict(telemetry=dict(block=self.values)) if self.values else {}


def test_what_is_not_finite_is_counted():
  forget_BTH = jnp.zeros((2, 4, 1)).at[0, 0, 0].set(jnp.nan)
  told = telemetry.watch(Tells(forget=forget_BTH), None, None, dict(tokens_BT=None, reset_BT=None))
  assert told['nonfinite'] == 1 / 8


def test_means_are_over_rows_and_tokens():
  forget_BTH = jnp.arange(16.0).reshape(2, 4, 2)
  told = telemetry.watch(Tells(forget=forget_BTH), None, None, dict(tokens_BT=None, reset_BT=None))
  np.testing.assert_allclose(told['forget'], [[7.0, 8.0]])


def test_a_model_that_tells_nothing_has_no_telemetry():
  assert telemetry.watch(Tells(), None, None, dict(tokens_BT=None, reset_BT=None)) == {}


def test_models_in_one_may_read_different_numbers_of_tokens():
  sees, asks = dict(keep=jnp.ones((2, 6, 1))), dict(keep=jnp.full((2, 3, 1), 5.0).at[1, 2, 0].set(jnp.inf))
  told = telemetry.watch(Tells(sees=sees, asks=asks), None, None, dict(tokens_BT=None, reset_BT=None))
  np.testing.assert_allclose(told['keep'], [[np.inf], [1.0]])
  assert told['nonfinite'] == np.float32(1 / 18)
