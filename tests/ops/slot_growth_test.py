"""Slots that are opened, merged and evicted, against a loop in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import slot_growth
from tests.checks import assert_close
from tests.memory import slots_in_numpy as plain

pytestmark = pytest.mark.usefixtures('x64')

open_slots = jax.jit(slot_growth.opened, static_argnames=('count', 'policy'))
BATCH, SLOTS, WIDTH = 4, 6, 3
AGES = np.array([[0] * 6, [3, 2, 2, 1, 1, 1], [3, 2, 0, 1, 0, 1], [4, 4, 3, 0, 2, 1]])


def store_of(rng):
  return dict(slots=rng.normal(size=(BATCH, SLOTS, WIDTH)), ages=AGES.copy(),
              usage=rng.uniform(size=(BATCH, SLOTS)) * (AGES > 0))


@pytest.mark.parametrize('policy', slot_growth.POLICIES)
@pytest.mark.parametrize('count', [0, 1, 3])
def test_slots_open_as_in_a_loop(policy, count):
  rng = np.random.default_rng(count)
  store, start = store_of(rng), rng.normal(size=(SLOTS, WIDTH))
  got, opened = open_slots(store, start, count=count, policy=policy, wants_B=np.ones(BATCH, bool))
  for b in range(BATCH):
    row = {name: value[b].copy() for name, value in store.items()}
    want = plain.opened(row, start, count, policy)
    assert_close(opened[b], want)
    assert_close({name: value[b] for name, value in got.items()}, row)


@pytest.mark.parametrize('policy', slot_growth.POLICIES)
def test_rows_that_want_none_stay_as_they_are(policy):
  store = store_of(np.random.default_rng(5))
  wants = np.array([True, False, True, False])
  got, opened = open_slots(store, np.zeros((SLOTS, WIDTH)), count=3, policy=policy, wants_B=wants)
  for name, value in store.items():
    np.testing.assert_array_equal(got[name][~wants], value[~wants])
  assert not np.any(np.asarray(opened)[~wants]) and np.any(np.asarray(opened)[wants])


def test_what_is_alike_becomes_one_and_the_least_used_go():
  """Three slots, two of them nearly the same; one more is wanted."""
  store = dict(slots=jnp.array([[[1.0, 0], [0, 1], [1, 0.1]]]), ages=jnp.array([[1, 5, 3]]),
               usage=jnp.array([[1.0, 0.2, 3]]))
  start, wants = np.full((3, 2), 9.0), np.array([True])
  merged, new = open_slots(store, start, count=1, policy='merge', wants_B=wants)
  assert_close(merged['slots'][0], [[1, 4 * 0.1 / 6], [0, 1], [9, 9]])
  assert merged['ages'].tolist() == [[3, 5, 1]] and np.argmax(new[0]) == 2
  evicted, new = open_slots(store, start, count=1, policy='evict', wants_B=wants)
  assert evicted['ages'].tolist() == [[1, 1, 3]] and np.argmax(new[0]) == 1
  kept, new = open_slots(store, start, count=1, policy='keep', wants_B=wants)
  assert_close(kept, store)
  assert not np.any(np.asarray(new))
