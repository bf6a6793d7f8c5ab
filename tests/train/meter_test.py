"""The clock counts training and nothing else."""

import jax.numpy as jnp

from latentmem.train import meter
from latentmem.train.state import TrainState


def test_time_between_steps_does_not_count(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(meter.time, 'perf_counter', lambda: now[0])
  clock = meter.Clock(5.0)
  clock.go()
  now[0] += 2
  assert clock.seconds == 7.0
  clock.stop()
  now[0] += 50
  assert clock.seconds == 7.0
  clock.go()
  now[0] += 1
  clock.go()
  assert clock.seconds == 8.0


def test_the_rate_is_over_the_steps_since_it_was_asked(monkeypatch):
  now = [0.0]
  monkeypatch.setattr(meter.time, 'perf_counter', lambda: now[0])
  clock = meter.Clock()
  clock.go()
  now[0] = 30.0
  assert clock.rate(100) is None
  now[0] = 32.0
  assert clock.rate(300) == 100.0


def test_a_row_of_the_carry_and_all_parameters_are_counted():
  params = dict(a=jnp.zeros((3, 4)), b=jnp.zeros(2))
  state = TrainState(params, (), dict(c=jnp.zeros((8, 5)), d=jnp.zeros((8,), jnp.int8)), 0, 0, 0, 0)
  assert meter.sizes(state, 8) == dict(parameters=14, state_bytes=21)


def test_memory_is_in_bytes():
  assert meter.peak_memory()['host'] > 50e6
