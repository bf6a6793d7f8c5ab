"""A trajectory is told for one token of one row, and drawn over the slots in use."""

import numpy as np
import pytest

from latentmem.study import figures, trajectory

STEPS, ROWS, TOKENS, HEADS, SLOTS = 3, 2, 2, 2, 4


def told():
  rng = np.random.default_rng(0)
  weights = np.zeros((STEPS, ROWS, TOKENS, HEADS, SLOTS))
  for r, n in enumerate((2, 0, 1)):
    weights[r, 1, 0, :, n] = 1.0, 0.6
    weights[r, 1, 0, 1, 0] += 0.4
  return dict(weights=weights, gates=rng.uniform(size=(STEPS, ROWS, TOKENS, HEADS)),
              written=rng.uniform(size=(STEPS, ROWS, SLOTS)),
              slots=np.arange(1.0, STEPS + 2)[:, None, None, None] * np.ones((ROWS, SLOTS, 5)),
              live=np.array([[True] * 4, [True, True, True, False]]))


def test_one_token_is_told_by_means_over_heads():
  one = trajectory.of_one(told(), row=1, token=0)
  np.testing.assert_allclose(one['weights'], [[0.2, 0, 0.8, 0], [1, 0, 0, 0], [0.2, 0.8, 0, 0]])
  np.testing.assert_allclose(one['gates'], told()['gates'][:, 1, 0].mean(-1))
  # Slots of 1, 2, 3, 4 everywhere move by 1, 1/2 and 1/3 of their length.
  np.testing.assert_allclose(one['moved'], np.broadcast_to(1 / np.arange(1.0, 4)[:, None], (3, 4)))
  assert [n for n, _ in trajectory.path(one)] == [2, 0, 1]
  np.testing.assert_allclose([share for _, share in trajectory.path(one)], [0.8, 1, 0.8])


def test_of_a_whole_model_a_layer_is_told():
  layers = {name: np.stack([np.zeros_like(record), record]) for name, record in told().items()}
  for name, value in trajectory.of_one(layers, row=1, token=0, layer=1).items():
    np.testing.assert_array_equal(value, trajectory.of_one(told(), row=1, token=0)[name])


def test_a_figure_has_a_row_a_step_and_a_column_a_slot_in_use():
  one = trajectory.of_one(told(), row=1, token=0)
  figure = trajectory.draw(one, names=['a>b', 'b>c', 'c>d', 'no'])
  read, kept, wrote = figure.axes
  assert [label.get_text() for label in read.get_xticklabels()] == ['a>b', 'b>c', 'c>d']
  assert [label.get_text() for label in read.get_yticklabels()] == ['rewriting', 'step 1', 'step 2']
  assert read.lines[0].get_xdata().tolist() == [2, 0, 1]
  assert wrote.images[0].get_array().shape == (3, 3) and len(kept.patches) == 3
  assert figures.png(figure).startswith(b'\x89PNG')


def test_nothing_in_use_is_nothing_to_draw():
  one = trajectory.of_one(told(), row=1) | dict(live=np.zeros(4, bool))
  with pytest.raises(figures.Absent, match='no slot'):
    trajectory.draw(one)
