"""Thoughts are told by their likeliest words, and drawn where they lie."""

import numpy as np

from latentmem.study import figures, thoughts

GRAPH = dict(names=list('vwxyz'), edges=[(0, 2), (2, 3), (1, 4)], root=0, target=3, wrong=4, path=[0, 2, 3])


def test_the_nearest_words_come_first():
  logits_KV = np.log(np.array([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]]))
  (first, second, _), (best, *_) = thoughts.nearest(logits_KV, ('a', 'b', 'c'))
  assert first[0] == 'b' and second[0] == 'c' and best[0] == 'a'
  np.testing.assert_allclose([first[1], second[1], best[1]], [0.6, 0.3, 0.5])


def test_nodes_share_what_words_that_are_no_nodes_have():
  logits_KV = np.log(np.array([[0.5, 0.1, 0.3, 0.1]]))
  np.testing.assert_allclose(thoughts.on_nodes(logits_KV, [2, 1]), [[0.75, 0.25]])


def test_children_lie_below_their_parents():
  place = thoughts._places(GRAPH)
  assert all(place[child][1] < place[parent][1] for parent, child in GRAPH['edges']) and len(set(place)) == 5


def test_there_is_a_panel_a_thought_and_a_name_a_node():
  figure = thoughts.draw(GRAPH, np.full((3, 5), 0.2))
  assert [axes.get_title('left') for axes in figure.axes] == ['thought 1', 'thought 2', 'thought 3']
  assert [text.get_text() for text in figure.axes[0].texts] == list('vwxyz')
  assert figures.png(figure).startswith(b'\x89PNG')
  assert thoughts.draw(GRAPH, np.full((1, 5), 0.2)).axes
