"""Maps keep what differs most; figures show what was told."""

import numpy as np
import pytest

from latentmem.study import figures, slots


def told(people=3, heads=2, each=4):
  rng = np.random.default_rng(0)
  share = rng.random((5, heads, each))
  return dict(map=dict(method='PCA', points=rng.random((people, heads * each, 2)).tolist()),
              words=dict(words=[[f'w{h}{n}' for n in range(each)] for h in range(heads)],
                         cosines=rng.random((heads, each)).tolist()),
              attention=dict(questions=list('abcde'), share=(share / share.sum(-1, keepdims=True)).tolist()))


def test_a_plane_in_many_dimensions_is_found_again(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'umap', None)
  rng = np.random.default_rng(0)
  plane_S2 = rng.normal(size=(40, 2)) * (3, 1)
  method, flat_S2 = slots.flat(plane_S2 @ np.linalg.qr(rng.normal(size=(7, 2)))[0].T + 5)
  apart = lambda a: np.linalg.norm(a[:, None] - a[None], axis=-1)
  assert method == 'PCA'
  np.testing.assert_allclose(apart(flat_S2), apart(plane_S2), atol=1e-9)


def test_every_figure_is_drawn_and_shows_what_it_was_told():
  it = told()
  made = {name: make() for name, (_, make) in slots.wanted(it).items()}
  assert list(made) == ['slots_map', 'slots_words', 'slots_attention']
  assert all(figures.png(figure)[:4] == b'\x89PNG' for figure in made.values())
  dots = made['slots_map'].axes[0].collections[-1]
  colours = {tuple(point): tuple(colour) for point, colour in zip(dots.get_offsets().tolist(), dots.get_facecolors())}
  assert len(colours) == 24
  for u, points_S2 in enumerate(it['map']['points']):
    assert {colours[tuple(point)] for point in points_S2} == {slots.colour_of(u, 3)}
  said = {text.get_text() for text in made['slots_words'].axes[0].texts}
  assert said == {f'w{h}{n}' for h in (0, 1) for n in range(4)}
  shown = made['slots_attention'].axes[0].images[0].get_array()
  assert shown.shape == (5, 8) and shown[3, 6] == pytest.approx(it['attention']['share'][3][1][2])
