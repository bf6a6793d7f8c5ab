"""Figures show what was recorded, name their axes, and say what they lack."""


import numpy as np
import pytest

from latentmem.study import figures
from tests.study import fake_run


def metrics(**sizes):
  split = {}
  for step, name, values in fake_run.metrics(**sizes):
    split.setdefault(name, []).append(dict(step=step) | {
        k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()})
  return split


METRICS = metrics()


@pytest.mark.parametrize('layers', [1, 2, 12])
@pytest.mark.parametrize('name', figures.FIGURES)
def test_every_axis_says_what_it_shows(name, layers):
  figure = figures.FIGURES[name][0](metrics(layers=layers))
  shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != '<colorbar>']
  assert shown
  for ax in shown:
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc='left')


@pytest.mark.parametrize('name', figures.FIGURES)
def test_a_figure_without_its_data_says_what_is_missing(name):
  with pytest.raises(figures.Absent, match='recorded'):
    figures.FIGURES[name][0]({})


def test_loss_shows_every_record_and_the_held_out_scores():
  lines = figures.loss(METRICS).axes[0].lines
  train = METRICS['train']
  np.testing.assert_array_equal(lines[0].get_xdata(), [r['step'] for r in train])
  np.testing.assert_array_equal(lines[0].get_ydata(), [r['bits'] for r in train])
  np.testing.assert_array_equal(lines[2].get_ydata(), [r['bits_per_byte'] for r in METRICS['heldout']])


def test_loss_passes_over_what_was_not_finite():
  rows = [dict(step=i, bits=None if i == 3 else 2.0 + i) for i in range(6)]
  line = figures.loss(dict(train=rows)).axes[0].lines[0]
  assert line.get_xdata().tolist() == [0, 1, 2, 4, 5]


def test_smooth_is_the_mean_of_neighbours():
  got = figures.smooth(np.array([1.0, 2.0, np.nan, 4.0, 9.0]), 3)
  np.testing.assert_allclose(got, [1.5, 1.5, 3.0, 6.5, 6.5])


def test_gates_show_the_mean_over_heads_of_each_layer():
  figure = figures.gates(METRICS)
  assert len(figure.axes) == 3
  for ax, name in zip(figure.axes, ('forget', 'momentum', 'step_size')):
    want_NLH = np.array([r[name] for r in METRICS['telemetry']])
    assert len(ax.lines) == 2
    for layer, line in enumerate(ax.lines):
      np.testing.assert_allclose(line.get_ydata(), want_NLH[:, layer].mean(-1))


def test_gates_that_a_memory_has_not_are_left_out():
  rows = [{k: v for k, v in r.items() if k != 'momentum'} for r in METRICS['telemetry']]
  titles = [ax.get_title(loc='left') for ax in figures.gates(dict(telemetry=rows)).axes]
  assert titles == ['Forgetting $a$', 'Step $h$']


def test_surprise_shows_before_after_and_their_ratio():
  figure = figures.surprise(METRICS)
  before_NLH = np.array([r['surprise_before'] for r in METRICS['telemetry']])
  after_NLH = np.array([r['surprise_after'] for r in METRICS['telemetry']])
  lines = figure.axes[0].lines
  np.testing.assert_allclose([l.get_ydata() for l in lines[:2]], before_NLH.mean(-1).T)
  np.testing.assert_allclose([l.get_ydata() for l in lines[2:]], after_NLH.mean(-1).T)
  np.testing.assert_allclose(figure.axes[1].lines[1].get_ydata(), after_NLH[:, 1].mean(-1) / before_NLH[:, 1].mean(-1))


def test_positions_come_in_the_order_of_the_document():
  shuffled = {'8192-': 2.1, '4096-8192': 2.0, '0-512': 3.0, '1024-2048': None, '512-1024': 2.5}
  figure = figures.positions(dict(heldout=[dict(step=7, by_position=shuffled)]))
  ax = figure.axes[0]
  assert [t.get_text() for t in ax.get_xticklabels()] == ['0–512', '512–1024', '1024–2048', '4096–8192', '8192+']
  assert ax.lines[0].get_xdata().tolist() == [0, 1, 3, 4]
  assert ax.lines[0].get_ydata().tolist() == [3.0, 2.5, 2.0, 2.1]


def test_layers_are_told_apart_by_lightness():
  lightness = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b, _ in figures.layer_colors(8)]
  assert np.all(np.diff(lightness) > 0.02)
