"""Laws are found again in runs that were made from one, and the intervals say how well."""

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.study import scaling

# The numbers of Hoffmann et al. 2022, as corrected by Besiroglu et al. 2024.
TRUE = scaling.Law(1.82, 482.0, 2085.0, 0.348, 0.366)
N_R, D_R = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(2e8, 2e11, 6)))


def runs(noise, seed=0):
  return TRUE.loss(N_R, D_R) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(N_R)))


def test_a_law_without_noise_is_found():
  np.testing.assert_allclose(scaling.fit(N_R, D_R, runs(0.0)), TRUE, rtol=1e-3)


def test_the_gradient_is_that_of_the_value():
  problem = scaling._Problem(N_R, D_R, runs(0.01))
  at, value = problem.start(0.3, 0.4, 0.6), lambda x: problem.value(x)[0]
  rises = [(value(at + 1e-6 * one) - value(at - 1e-6 * one)) / 2e-6 for one in np.eye(5)]
  np.testing.assert_allclose(problem.value(at)[1], rises, rtol=1e-5)


def covered(seeds, draws):
  """How often each number lies in its interval, in runs with 1 % noise."""
  inside = []
  for seed in seeds:
    loss_R = runs(0.01, seed)
    law = scaling.fit(N_R, D_R, loss_R, starts=scaling.STARTS[::16])
    found = scaling.intervals(scaling.bootstrap(law, N_R, D_R, loss_R, draws, seed))
    inside.append([low <= true <= high for (low, high), true in zip(found.values(), TRUE)])
  return np.mean(inside, axis=0)


def test_intervals_hold_the_truth():
  assert covered(range(6), 40).mean() >= 0.8


@pytest.mark.slow
def test_intervals_hold_the_truth_nine_times_in_ten():
  assert covered(range(100), 100).mean() >= 0.9


def test_the_best_split_of_a_budget_is_better_than_its_neighbours():
  n, d = TRUE.best(1e21)
  assert 6 * n * d == pytest.approx(1e21)
  assert TRUE.loss(n, d) < min(TRUE.loss(n * 1.05, d / 1.05), TRUE.loss(n / 1.05, d * 1.05))
  assert TRUE.frontier(1e21) == TRUE.loss(n, d)


def test_the_bottom_of_one_budgets_runs_is_its_best_size():
  n = TRUE.best(1e21)[0] * np.geomspace(0.3, 3, 5)
  loss = TRUE.loss(n, 1e21 / (6 * n))
  found, = scaling.same_budget(n, np.full(5, 1e21), loss)
  assert found['parameters'] == pytest.approx(TRUE.best(1e21)[0], rel=0.1) and found['runs'] == 5
  assert not scaling.same_budget(n, np.geomspace(1e20, 1e22, 5), loss)


@pytest.mark.parametrize('n, d, said', [
    (N_R[:5], D_R[:5], 'at least 6 runs'), (np.ones(8), np.arange(8) + 1.0, '8 runs of 1 and 8')])
def test_runs_that_determine_no_law_are_refused(n, d, said):
  with pytest.raises(InputError, match=said):
    scaling.fit(n, d, np.ones(len(n)))


def test_losses_that_are_none_are_refused():
  with pytest.raises(InputError, match='finite'):
    scaling.fit(N_R, D_R, np.full(len(N_R), np.nan))
