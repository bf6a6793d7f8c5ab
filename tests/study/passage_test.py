"""A passage shows each token on the shade of its own surprise, and its text as it is."""

import html
import re

import numpy as np
import pytest

from latentmem.study import figures, passage
from tests.study import fake_run


def test_each_layer_is_shown_between_its_own_2nd_and_98th_percentile():
  surprise_LT = np.array([np.arange(101.0), 10 * np.arange(101.0)])
  share_LT, ends_L2 = passage.scale(surprise_LT)
  np.testing.assert_allclose(ends_L2, [[2, 98], [20, 980]])
  np.testing.assert_allclose(share_LT[0], share_LT[1])
  np.testing.assert_allclose(share_LT[0], np.clip((np.arange(101) - 2) / 96, 0, 1), atol=1e-12)


def test_values_that_are_not_finite_do_not_spoil_the_others():
  broken = np.array([[np.nan, 1.0, np.inf, 1.0], [3.0] * 4, [np.nan] * 4])
  share_LT, ends_L2 = passage.scale(broken)
  assert ends_L2.tolist() == [[1.0, 1.0], [3.0, 3.0], [0.0, 1.0]]
  assert share_LT.tolist() == [[0.0, 0.0, 1.0, 0.0], [0.0] * 4, [0.0] * 4]


def test_coloured_text_is_the_passage_escaped_with_a_view_for_each_layer():
  pieces = ['<b>', '&', '"', '\n', 'x', '\t']
  page = passage.coloured(dict(pieces=pieces, surprise_before=[[0.0, 1, 2, 3, 4, None], [5.0, 4, 3, 2, 1, 0]]))
  views = re.findall(r'<pre class="passage" id="view(\d)">(.*?)</pre>', page, re.S)
  assert [number for number, _ in views] == ['0', '1']
  for _, view in views:
    text = html.unescape(re.sub(r'<span style="background:#[0-9a-f]{6}" title="[^"]*">|</span>', '', view))
    assert text == '<b>&"↵\nx\t' and '<b>' not in view
  assert re.findall(r'title="([^"]*)"', views[1][1]) == ['5', '4', '3', '2', '1', '0']


def test_the_more_surprise_the_darker():
  light = [sum(int(passage.shade(s)[i:i + 2], 16) for i in (1, 3, 5)) for s in np.linspace(0, 1, 9)]
  assert light == sorted(light, reverse=True)


def test_heat_map_shows_every_token_once_and_in_its_layers_row():
  shown = fake_run.passage(layers=3)
  figure = passage.heat_map(shown, across=50)
  share_LT, _ = passage.scale(np.array(shown['surprise_before']))
  cells_LT = np.concatenate([image.get_array() for image in figure.axes[0].images], axis=1)
  np.testing.assert_array_equal(cells_LT, share_LT)
  text = ''.join(t.get_text() for t in figure.axes[0].texts)
  assert text.replace('↵', '\n') == fake_run.TEXT


def test_a_passage_that_does_not_fit_its_surprise_is_absent():
  for wrong in (None, {}, dict(pieces=['a'], surprise_before=[]), dict(pieces=['a'], surprise_before=[[1.0, 2.0]])):
    with pytest.raises(figures.Absent):
      passage.heat_map(wrong)
