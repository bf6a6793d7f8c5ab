"""Associative recall is zoology's, token by token and in its statistics."""

import collections

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError


def draws(task, n, seed=0):
  """n examples, stacked: tokens_BT, targets_BT, weights_BT."""
  return [np.stack(a) for a in zip(*(task.draw(np.random.default_rng((seed, i))) for i in range(n)))]


@pytest.mark.parametrize('fields', [
    dict(vocab=64, length=32, pairs=8), dict(vocab=20, length=64, pairs=4, random_non_queries=False),
    dict(vocab=18, length=48, pairs=8, passes=2), dict(vocab=8192, length=256, pairs=64),
    dict(vocab=21, length=40, pairs=8)])
def test_the_answer_is_the_value_that_stood_behind_the_key(fields):
  task = tasks.make('recall', **fields)
  for tokens_T, targets_T, weights_T in zip(*draws(task, 20)):
    shown, half = 2 * task.pairs * task.passes, task.vocab // 2
    keys, values = tokens_T[0:shown:2], tokens_T[1:shown:2]
    value_of = dict(zip(keys.tolist(), values.tolist()))
    asked = np.flatnonzero(weights_T)
    assert len(set(keys.tolist())) == len(set(values.tolist())) == task.pairs, 'keys and values come once'
    assert keys.min() >= 1 and keys.max() < half <= values.min() and values.max() < task.vocab
    assert (asked >= shown).all() and ((asked - shown) % 2 == 0).all(), 'a question takes a slot of two'
    assert sorted(tokens_T[asked]) == sorted(value_of), 'each key is asked once'
    assert [value_of[k] for k in tokens_T[asked].tolist()] == targets_T[asked].tolist()
    assert set(weights_T.tolist()) == {0.0, 1.0} and weights_T.sum() == task.pairs


def test_every_pass_shows_the_same_pairs():
  tokens_BT, _, _ = draws(tasks.make('recall', vocab=64, length=48, pairs=8, passes=2), 4)
  np.testing.assert_array_equal(tokens_BT[:, :16], tokens_BT[:, 16:32])


def test_places_that_ask_nothing_hold_anything_or_zero():
  for random in (True, False):
    tokens_BT, _, weights_BT = draws(tasks.make('recall', vocab=64, length=64, pairs=8, random_non_queries=random), 200)
    rest = tokens_BT[:, 16:][weights_BT[:, 16:] == 0]
    if random:
      assert np.bincount(rest, minlength=64).min() > 0 and rest.max() < 64
    else:
      assert (rest == 0).all()


@pytest.mark.parametrize('power', [0.01, 0.5, 1.0])
def test_questions_fall_off_with_the_power_law(power):
  # With one pair, its slot is one draw from p(s) ~ s^(a - 1).
  task = tasks.make('recall', vocab=64, length=18, pairs=1, power=power)
  n = 4000
  _, _, weights_BT = draws(task, n)
  seen_S = np.bincount((np.argmax(weights_BT, 1) - 2) // 2, minlength=8) / n
  p_S = np.arange(1, 9) ** (power - 1.0)
  # Five standard errors of a frequency over n draws.
  assert np.abs(seen_S - p_S / p_S.sum()).max() < 5 * 0.5 / np.sqrt(n)


def test_draws_without_replacement_follow_one_after_another():
  # Two pairs: P(second slot = t | first = s) = p(t) / (1 - p(s)); keys take the slots in the order of drawing.
  task = tasks.make('recall', vocab=64, length=12, pairs=2, power=0.01, random_non_queries=False)
  n = 6000
  seen = np.zeros((4, 4))
  for tokens_T, _, _ in zip(*draws(task, n)):
    first, second = (int(np.flatnonzero(tokens_T[4:] == k)[0]) // 2 for k in tokens_T[[0, 2]])
    seen[first, second] += 1 / n
  p = np.arange(1, 5) ** -0.99
  p /= p.sum()
  want = p[:, None] * p / (1 - p[:, None]) * (1 - np.eye(4))
  assert np.abs(seen - want).max() < 5 * 0.5 / np.sqrt(n)


def test_blocks_are_small_recalls_one_after_another_and_the_hardest_is_one():
  task = tasks.make('recall', vocab=64, length=64, pairs=12, blocks=4)
  seen = collections.Counter()
  for tokens_T, targets_T, weights_T in zip(*draws(task, 300)):
    # In `blocks` blocks a question comes right after the first 12 / blocks pairs; each value stands behind its key.
    blocks, = (n for n in (1, 2, 4) if weights_T[:2 * 12 // n].sum() == 0 < weights_T[:64 // n].sum() == 12 // n)
    seen[blocks] += 1 / 300
    for start in range(0, 64, 64 // blocks):
      shown = tokens_T[start:start + 24 // blocks]
      value_of = dict(zip(shown[::2].tolist(), shown[1::2].tolist()))
      asked = start + np.flatnonzero(weights_T[start:start + 64 // blocks])
      assert {k: v for k, v in zip(tokens_T[asked].tolist(), targets_T[asked].tolist())} == value_of
    for told_T in (tokens_T, targets_T):
      assert len(set(told_T[weights_T > 0].tolist())) == 12, 'no block repeats another block\'s keys or values'
  # Five standard errors of a frequency over 300 draws.
  assert set(seen) == {1, 2, 4} and max(abs(f - 1 / 3) for f in seen.values()) < 5 * 0.5 / 300 ** 0.5
  one = task.hardest()
  assert all((weights_T[:24] == 0).all() for weights_T in draws(one, 50)[2])


@pytest.mark.parametrize('fields, says', [
    (dict(length=254), '256'), (dict(length=257), 'even'), (dict(vocab=64), '130'), (dict(pairs=0), 'pairs'),
    (dict(power=0.0), 'power'), (dict(blocks=3), 'blocks=3'), (dict(blocks=128), 'blocks=128')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('recall', **fields)
