"""Accuracy and exact match are counted as they are defined, however the examples are cut into batches."""

import numpy as np
import pytest

from latentmem.tasks import answers


def batch(targets, weights, reset):
  return dict(targets_BT=np.asarray(targets), weights_BT=np.asarray(weights, np.float32),
              reset_BT=np.asarray(reset, bool))


def exam(seed=0, examples=12, length=8):
  rng = np.random.default_rng(seed)
  targets = rng.integers(0, 4, (examples, length))
  weights = rng.random((examples, length)) < 0.4
  weights[0] = False
  predicted = np.where(rng.random((examples, length)) < 0.8, targets, targets + 1)
  return targets, weights, predicted, rng.random((examples, length))


def by_hand(targets, weights, predicted, nats):
  right = [[t == p for t, w, p in zip(*row) if w] for row in zip(targets, weights, predicted)]
  asked = [r for r in right if r]
  return dict(accuracy=sum(map(sum, asked)) / sum(map(len, asked)), exact=sum(map(all, asked)) / len(asked),
              loss=nats[weights].mean(), examples=len(asked), tokens=int(weights.sum()))


def same(result, want):
  assert result.keys() == want.keys()
  assert all(result[k] == pytest.approx(want[k], rel=1e-12) for k in want), (result, want)


def test_scores_are_as_defined():
  targets, weights, predicted, nats = exam()
  scorer = answers.Answers()
  reset = np.zeros_like(weights)
  reset[:, 0] = True
  scorer.add(batch(targets, weights, reset), nats, predicted)
  same(scorer.result(), by_hand(targets, weights, predicted, nats))
  same(scorer.result(), by_hand(targets, weights, predicted, nats))


def test_scores_do_not_depend_on_how_examples_are_cut():
  targets, weights, predicted, nats = exam()
  want = by_hand(targets, weights, predicted, nats)
  # Six rows of two examples each, read four columns at a time: an example takes two batches, one after another.
  cut = lambda a, n, k: a[n * 6:(n + 1) * 6, k * 4:(k + 1) * 4]
  scorer = answers.Answers()
  for n in range(2):
    for k in range(2):
      reset = np.zeros((6, 4), bool)
      reset[:, 0] = k == 0
      scorer.add(batch(cut(targets, n, k), cut(weights, n, k), reset), cut(nats, n, k), cut(predicted, n, k))
  same(scorer.result(), want)
  # Three examples side by side in a row, each with a reset of its own.
  wide = lambda a: a.reshape(4, 24)
  reset = np.zeros((4, 24), bool)
  reset[:, ::8] = True
  scorer = answers.Answers()
  scorer.add(batch(wide(targets), wide(weights), reset), wide(nats), wide(predicted))
  same(scorer.result(), want)


def test_merged_scores_are_those_of_all():
  targets, weights, predicted, nats = exam()
  reset = np.zeros_like(weights)
  reset[:, 0] = True
  parts = [answers.Answers() for _ in range(3)]
  for i, part in enumerate(parts):
    rows = slice(4 * i, 4 * i + 4)
    part.add(batch(targets[rows], weights[rows], reset[rows]), nats[rows], predicted[rows])
  whole = parts[0].merge(parts[1].totals()).merge(parts[2].totals())
  same(whole.result(), by_hand(targets, weights, predicted, nats))


def test_unscored_nonsense_counts_for_nothing():
  scorer = answers.Answers()
  scorer.add(batch([[1, 2]], [[0, 1]], [[1, 0]]), np.asarray([[np.nan, 0.5]]), np.asarray([[7, 2]]))
  same(scorer.result(), dict(accuracy=1.0, exact=1.0, loss=0.5, examples=1, tokens=1))


def test_nothing_asked_has_no_score():
  assert answers.Answers().result() == dict(accuracy=None, exact=None, loss=None, examples=0, tokens=0)
