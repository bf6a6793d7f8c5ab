"""Scaling laws: what a loss becomes with more parameters and more tokens, fitted to runs that have ended.

  L(N, D) = E + A / N^alpha + B / D^beta        (Hoffmann et al. 2022, arXiv 2203.15556, approach 3)

Fitted as there: log L is the log of a sum of three exponentials, the loss is Huber's on its residual, minimised from
many starts. Budgets are C = k N D operations, with k counted from the runs.
N parameters, D tokens, R runs.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

from latentmem.base.errors import InputError

HUBER = 1e-3
STARTS = tuple(itertools.product((0.1, 0.3, 0.6, 1.0), (0.1, 0.3, 0.6, 1.0), (0.3, 0.6, 0.9)))
# What exponents are looked for between.
BOUNDS = (1e-3, 3.0)
# Runs that cost the same up to this share are read as one budget.
SAME = 0.1


class Law(NamedTuple):
  """The five numbers."""

  E: float
  A: float
  B: float
  alpha: float
  beta: float

  def loss(self, n, d):
    """L of N parameters and D tokens."""
    return self.E + self.A * np.power(n, -self.alpha) + self.B * np.power(d, -self.beta)

  def best(self, budget, k: float = 6.0):
    """-> N, D of the least loss for a budget of operations."""
    product = np.asarray(budget, float) / k
    ratio = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
    n = ratio * product ** (self.beta / (self.alpha + self.beta))
    return n, product / n

  def frontier(self, budget, k: float = 6.0):
    """The least loss for a budget."""
    return self.loss(*self.best(budget, k))

  def undetermined(self) -> list[str]:
    """The exponents that ended where the search does: the runs do not say what they are."""
    return [name for name in ('alpha', 'beta') if any(np.isclose(getattr(self, name), BOUNDS))]


def fit(n_R, d_R, loss_R, starts=STARTS) -> Law:
  """The law of runs. Raises InputError for runs that do not determine it."""
  n_R, d_R, loss_R = (np.asarray(a, float) for a in (n_R, d_R, loss_R))
  sizes, budgets = len(np.unique(n_R)), len(np.unique(d_R))
  if len(loss_R) < 6 or min(sizes, budgets) < 3:
    raise InputError(f'A law of five numbers needs at least 6 runs of 3 sizes and 3 token counts; there are '
                     f'{len(loss_R)} runs of {sizes} and {budgets}.')
  if not (np.isfinite(loss_R).all() and min(loss_R.min(), n_R.min(), d_R.min()) > 0):
    raise InputError('A law is fitted to losses, sizes and token counts that are finite and above 0.')
  problem = _Problem(n_R, d_R, loss_R)
  found = [problem.descend(problem.start(*start)) for start in starts]
  return problem.law(min(found, key=lambda each: each.fun).x)


class _Problem:
  """Descent in (e, a, b, alpha, beta), the logs of the terms at the middle of the runs, where they hardly depend on
  each other."""

  def __init__(self, n_R, d_R, loss_R):
    self.log_loss_R = np.log(loss_R)
    self.middle = np.log(n_R).mean(), np.log(d_R).mean()
    self.x_R, self.y_R = np.log(n_R) - self.middle[0], np.log(d_R) - self.middle[1]

  def start(self, alpha, beta, share):
    least = math.exp(self.log_loss_R.min())
    rest = math.log((1 - share) * least / 2)
    return np.array([math.log(share * least), rest, rest, alpha, beta])

  def at(self, law: Law):
    return np.array([math.log(law.E), math.log(law.A) - law.alpha * self.middle[0],
                     math.log(law.B) - law.beta * self.middle[1], law.alpha, law.beta])

  def value(self, at):
    e, a, b, alpha, beta = at
    terms_3R = np.stack([np.full_like(self.x_R, e), a - alpha * self.x_R, b - beta * self.y_R])
    log_R = np.logaddexp.reduce(terms_3R)
    off_R = log_R - self.log_loss_R
    share_3R = np.exp(terms_3R - log_R)
    slope_R = np.clip(off_R, -HUBER, HUBER)
    huber = np.where(np.abs(off_R) <= HUBER, off_R**2 / 2, HUBER * (np.abs(off_R) - HUBER / 2)).sum()
    gradient = [share_3R[0] @ slope_R, share_3R[1] @ slope_R, share_3R[2] @ slope_R,
                -(share_3R[1] * self.x_R) @ slope_R, -(share_3R[2] * self.y_R) @ slope_R]
    # In units of what one residual at the bend costs, so that the descent does not stop early.
    return huber / HUBER**2, np.array(gradient) / HUBER**2

  def descend(self, start):
    return optimize.minimize(self.value, start, jac=True, method='L-BFGS-B', options=dict(maxiter=500, ftol=1e-12),
                             bounds=[(None, None)] * 3 + [BOUNDS] * 2)

  def law(self, at) -> Law:
    e, a, b, alpha, beta = map(float, at)
    return Law(math.exp(e), math.exp(a + alpha * self.middle[0]), math.exp(b + beta * self.middle[1]), alpha, beta)


def bootstrap(law: Law, n_R, d_R, loss_R, draws: int = 200, seed: int = 0) -> list[Law]:
  """Laws of runs that could have come about as well: the law's losses with the residuals of others on them.

  Residuals are widened by sqrt(R / (R - 5)), for the five numbers that made them small, and smoothed, without which
  intervals of a fit that is nearly one of medians are too narrow: 88 % held the truth instead of 93 %, in 30 draws
  of 36 runs.
  """
  n_R, d_R = np.asarray(n_R, float), np.asarray(d_R, float)
  count, off_R = len(n_R), np.log(loss_R) - np.log(law.loss(n_R, d_R))
  off_R = (off_R - off_R.mean()) * math.sqrt(count / max(count - 5, 1))
  rng, laws = np.random.default_rng(seed), []
  for _ in range(draws):
    smooth_R = off_R.std() * count ** -0.2 * rng.standard_normal(count)
    problem = _Problem(n_R, d_R, law.loss(n_R, d_R) * np.exp(rng.choice(off_R, count) + smooth_R))
    laws.append(problem.law(problem.descend(problem.at(law)).x))
  return laws


def intervals(laws: list[Law], share: float = 0.95) -> dict[str, tuple[float, float]]:
  """Where the middle `share` of the laws has each number."""
  ends = np.quantile(np.array(laws), [(1 - share) / 2, (1 + share) / 2], axis=0)
  return {name: (float(low), float(high)) for name, low, high in zip(Law._fields, *ends)}


def same_budget(n_R, flops_R, loss_R) -> list[dict]:
  """Of every budget that three runs of different sizes share: the size with the least loss, by a parabola in log N."""
  order, found, group = np.argsort(flops_R), [], []
  for i in [*order, None]:
    if i is not None and (not group or flops_R[i] <= (1 + SAME) * flops_R[group[0]]):
      group.append(i)
      continue
    if len({n_R[j] for j in group}) >= 3:
      x, y = np.log(np.array([n_R[j] for j in group])), np.array([loss_R[j] for j in group])
      bend, slope, _ = np.polyfit(x, y, 2)
      if bend > 0 and x.min() <= -slope / (2 * bend) <= x.max():
        found.append(dict(flops=float(np.mean([flops_R[j] for j in group])), runs=len(group),
                          parameters=float(np.exp(-slope / (2 * bend)))))
    group = [i]
  return found
