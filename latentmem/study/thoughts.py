"""What thoughts hold: the tokens nearest to each, and where on a problem's graph they lie.

N nodes, K thoughts, V vocabulary.
"""

from matplotlib.figure import Figure
import numpy as np

from latentmem.study import figures

GREEN, RED = '#1a7f37', '#c0392b'


def nearest(logits_KV: np.ndarray, words, count: int = 3) -> list[list[tuple[str, float]]]:
  """The words that each thought would say, and how likely."""
  share_KV = _softmax(logits_KV)
  best_KC = np.argsort(-logits_KV, axis=-1, kind='stable')[:, :count]
  return [[(words[i], float(share[i])) for i in best] for best, share in zip(best_KC, share_KV)]


def on_nodes(logits_KV: np.ndarray, token_N: list[int]) -> np.ndarray:
  """Probability of each node at each thought, of all nodes, [K, N]."""
  return _softmax(logits_KV[:, token_N])


def draw(graph: dict, share_KN: np.ndarray) -> Figure:
  """The graph once for each thought, nodes as dark as they are likely, and the shortest path.

  Args:
    graph: names of nodes; edges (parent, child), root, target, wrong and path by their numbers.
  """
  place, path = _places(graph), set(zip(graph['path'], graph['path'][1:]))
  ring = {graph['root']: figures.BLUE, graph['target']: GREEN, graph['wrong']: RED}
  with figures.styled():
    figure = Figure(figsize=(2.9 * len(share_KN), 3.4), layout='constrained')
    for k, axes in enumerate(np.ravel(figure.subplots(1, len(share_KN)))):
      for edge in graph['edges']:
        (x0, y0), (x1, y1) = place[edge[0]], place[edge[1]]
        colour, width = (GREEN, 1.5) if edge in path else ('0.85', 0.7)
        axes.plot([x0, x1], [y0, y1], color=colour, linewidth=width, zorder=width)
      for node, name in enumerate(graph['names']):
        axes.scatter(*place[node], s=150, zorder=3, c=[share_KN[k, node]], cmap='Oranges', vmin=0, vmax=1,
                     edgecolors=ring.get(node, figures.SOFT), linewidths=2 if node in ring else 0.6)
        axes.annotate(name, place[node], ha='center', va='center', fontsize=6, zorder=4)
      axes.set(title=f'thought {k + 1}', xticks=[], yticks=[])
      axes.margins(0.12)
      for side in axes.spines.values():
        side.set_visible(False)
    figure.suptitle('probability of nodes; blue ring root, green target, red wrong option; green line shortest path',
                    fontsize=8)
  return figure


def _places(graph: dict) -> list[tuple[float, float]]:
  """Nodes in layers, as deep as their longest way down from a node without parents."""
  deep = [0] * len(graph['names'])
  for _ in deep:
    for parent, child in graph['edges']:
      deep[child] = max(deep[child], deep[parent] + 1)
  beside = lambda node: [other for other, depth in enumerate(deep) if depth == deep[node]]
  return [((beside(node).index(node) + 0.5) / len(beside(node)), -depth) for node, depth in enumerate(deep)]


def _softmax(a: np.ndarray) -> np.ndarray:
  a = np.exp(a - a.max(-1, keepdims=True))
  return a / a.sum(-1, keepdims=True)
