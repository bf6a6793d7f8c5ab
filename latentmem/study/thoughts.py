"""What thoughts hold: the tokens nearest to each, and where on a problem's graph they lie.

N nodes, K thoughts, V vocabulary.
"""

from matplotlib.figure import Figure
import numpy as np

from latentmem.study import figures
from latentmem.tasks import is_a_graphs


def nearest(logits_KV: np.ndarray, words, count: int = 3) -> list[list[tuple[str, float]]]:
  """The words that each thought would say, and how likely."""
  share_KV = _softmax(logits_KV)
  best_KC = np.argsort(-logits_KV, axis=-1, kind='stable')[:, :count]
  return [[(words[i], float(share[i])) for i in best] for best, share in zip(best_KC, share_KV)]


def on_nodes(logits_KV: np.ndarray, token_N: list[int]) -> np.ndarray:
  """Probability of each node at each thought, of all nodes, [K, N]."""
  return _softmax(logits_KV[:, token_N])


def draw(asked: is_a_graphs.Problem, share_KN: np.ndarray, names: list[str]) -> Figure:
  """The graph once for each thought, nodes as dark as they are likely, and the shortest path."""
  place = _places(asked)
  path = set(zip(asked.path, asked.path[1:]))
  with figures.styled():
    figure = Figure(figsize=(2.9 * len(share_KN), 3.4), layout='constrained')
    for k, axes in enumerate(np.ravel(figure.subplots(1, len(share_KN)))):
      for edge in asked.edges:
        (x0, y0), (x1, y1) = place[edge[0]], place[edge[1]]
        colour, width = ('#1a7f37', 1.5) if edge in path else ('0.85', 0.7)
        axes.plot([x0, x1], [y0, y1], color=colour, linewidth=width, zorder=width)
      ring = {asked.root: '#0b62a4', asked.target: '#1a7f37', asked.wrong: '#c0392b'}
      for node in range(asked.nodes):
        axes.scatter(*place[node], s=150, zorder=3, c=[share_KN[k, node]], cmap='Oranges', vmin=0, vmax=1,
                     edgecolors=ring.get(node, '0.6'), linewidths=2 if node in ring else 0.6)
        axes.annotate(names[node], place[node], ha='center', va='center', fontsize=6, zorder=4)
      axes.set(title=f'thought {k + 1}', xticks=[], yticks=[])
      axes.margins(0.12)
      for side in axes.spines.values():
        side.set_visible(False)
    figure.suptitle('probability of nodes; blue ring root, green target, red wrong option; green line shortest path',
                    fontsize=8)
  return figure


def _places(asked: is_a_graphs.Problem) -> dict[int, tuple[float, float]]:
  """Nodes in layers, as deep as their longest way down from a node without parents."""
  deep = dict.fromkeys(range(asked.nodes), 0)
  for _ in range(asked.nodes):
    for parent, child in asked.edges:
      deep[child] = max(deep[child], deep[parent] + 1)
  layers = {}
  for node in range(asked.nodes):
    layers.setdefault(deep[node], []).append(node)
  return {node: ((i + 0.5) / len(layer), -depth) for depth, layer in layers.items() for i, node in enumerate(layer)}


def _softmax(a: np.ndarray) -> np.ndarray:
  a = np.exp(a - a.max(-1, keepdims=True))
  return a / a.sum(-1, keepdims=True)
