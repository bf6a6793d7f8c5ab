"""Graphs of "every A is a B", with two families, and a question that only a walk answers: is the root a target or not?

Node 0 and node 1 found a family each; a node's label is 1 where node 0 reaches it, 2 where node 1 does, 3 where both
do, 0 for the few that neither does. The root is one of the two, the target a leaf that it reaches, the wrong option a
leaf that it does not.

The recipe is fitted to the public test and validation files of ProsQA (Hao et al. 2024, arXiv 2412.06769), whose
training set cannot be had: 22.8 +- 2.0 nodes, 36.0 +- 5.8 edges, a shortest path of 3.8. In those files the option that
lies farther from every node without parents is right nine times in ten; `matched` draws options that lie equally far,
so that this rule is right half the time.
"""

import bisect
import collections
import functools
import math
import operator
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import InputError

NODES, SPREAD, FEWEST, MOST = 22.8, 1.95, 14, 28
# Where a node takes its parents from: family 0, family 1, anywhere but below both.
FAMILY_0, FAMILY_1 = 0.40, 0.53
PARENTS = 1.5
# Chances of 1, of at most 2, ... parents: Poisson without its 0.
COUNTS = (np.cumsum([PARENTS**k / math.factorial(k) for k in range(1, 12)]) / math.expm1(PARENTS)).tolist()
FOUNDER, STRAY, BY_DEPTH = 0.73, 0.27, (1.02, 1.17, 1.25)
STRAYS, STRAYS_FADE = 0.108, 6.5
# Of shortest paths from root to target.
HOPS = {3: 0.4075, 4: 0.4375, 5: 0.131, 6: 0.024}
ROOT_IS_1 = 0.62
# Graphs that are drawn before a question counts as one that no graph has.
TRIES = 20_000


class Problem(NamedTuple):
  """A question about a graph.

  Attributes:
    nodes: How many there are.
    edges: (parent, child), as they came about: every parent is one.
    root, target, wrong: Nodes.
    path: Nodes of one shortest path from root to target.
  """

  nodes: int
  edges: list[tuple[int, int]]
  root: int
  target: int
  wrong: int
  path: list[int]


def draw(rng: np.random.Generator, matched: bool = False, hops: tuple[int, ...] = (), nodes: float = NODES) -> Problem:
  """A problem whose shortest path is one of `hops`, each as often; () has them as often as the public files.

  Graphs have so many nodes in the mean. Matched problems take what length comes: long ones are too rare to wait for.
  Raises InputError where none is found.
  """
  lengths = hops or tuple(HOPS)
  if not matched:
    share = np.array([1.0 if hops else HOPS[length] for length in lengths])
    lengths = (int(rng.choice(lengths, p=share / share.sum())),)
  root = int(rng.random() < (0.5 if matched else ROOT_IS_1))
  for _ in range(TRIES):
    count, edges, labels = graph(rng, nodes)
    options = pairs(count, edges, labels, root, lengths, matched)
    if options:
      target, wrong = options[rng.integers(len(options))]
      return Problem(count, edges, root, target, wrong, shortest(edges, root, target))
  raise InputError(f'None of {TRIES:,} graphs has a {"matched " if matched else ""}question of {lengths} hops; shorter '
                   'paths, or more nodes, are found sooner.')


def graph(rng: np.random.Generator, nodes: float = NODES) -> tuple[int, list[tuple[int, int]], list[int]]:
  """-> nodes, edges, labels."""
  share = nodes / NODES
  count = min(max(round(rng.normal(nodes, SPREAD * share)), round(FEWEST * share)), MOST)
  labels, depths, edges = [1, 2], [0, 0], []
  for node in range(2, count):
    if node < count - 1 and rng.random() < STRAYS * math.exp(-(node - 2) / STRAYS_FADE):
      labels.append(0)
      depths.append(0)
      continue
    parents = _parents(rng, labels, depths)
    edges += [(parent, node) for parent in parents]
    labels.append(functools.reduce(operator.or_, (labels[p] for p in parents)))
    depths.append(1 + max(depths[p] for p in parents))
  return _without_lonely(count, edges, labels)


def _parents(rng, labels, depths) -> list[int]:
  """Parents of the next node, at least one of them of a family."""
  family, size, *races = rng.random(2 + len(labels)).tolist()
  barred = (2, 3) if family < FAMILY_0 else (1, 3) if family < FAMILY_0 + FAMILY_1 else (3,)
  pool = [node for node, label in enumerate(labels) if label not in barred]
  weight = lambda node: (FOUNDER if node < 2 else STRAY if labels[node] == 0 else BY_DEPTH[min(depths[node], 3) - 1])
  # The first of a race in which node i arrives after an exponential time of rate w_i are a draw by weight w without
  # replacement (Efraimidis and Spirakis 2006).
  pool.sort(key=lambda node: -math.log1p(-races[node]) / weight(node))
  parents = pool[:bisect.bisect(COUNTS, size) + 1]
  if not any(labels[node] for node in parents):
    parents[0] = int(rng.choice(sorted(node for node in pool if labels[node])))
  return sorted(set(parents))


def _without_lonely(count, edges, labels):
  """Nodes without any edge, but for the founders, are left out."""
  kept = sorted({0, 1}.union(*edges))
  number = {node: i for i, node in enumerate(kept)}
  return len(kept), [(number[a], number[b]) for a, b in edges], [labels[node] for node in kept]


def pairs(nodes, edges, labels, root, lengths, matched) -> list[tuple[int, int]]:
  """Every (target, wrong) that asks a fair question of this graph."""
  leaves = set(range(2, nodes)) - {parent for parent, _ in edges}
  near = distances(edges, root)
  targets = sorted(leaf for leaf in leaves if near.get(leaf) in lengths)
  wrongs = sorted(leaf for leaf in leaves if leaf not in near and labels[leaf])
  asked = [(target, wrong) for target in targets for wrong in wrongs]
  if not matched or not asked:
    return asked
  other, deep = distances(edges, 1 - root), depths_of(nodes, edges)
  return [(target, wrong) for target, wrong in asked
          if target not in other and other.get(wrong) == near[target] and deep[target] == deep[wrong]]


def farther(problem: Problem) -> float:
  """What the rule 'the option that lies farther from every node without parents' scores: 1, 0, or 0.5 for a tie."""
  deep = depths_of(problem.nodes, problem.edges)
  target, wrong = deep[problem.target], deep[problem.wrong]
  return 0.5 if target == wrong else float(target > wrong)


def is_founded(nodes: int, edges) -> bool:
  """Whether every node is reached from one without parents, as everywhere where edges go in no circle."""
  below = {child for _, child in edges}
  return {*range(nodes)} == {far for node in range(nodes) if node not in below for far in distances(edges, node)}


def depths_of(nodes: int, edges) -> dict[int, int]:
  """Of every node, the steps to it from the nearest node without parents."""
  below = {child for _, child in edges}
  founders = [distances(edges, node) for node in range(nodes) if node not in below]
  return {node: min(far[node] for far in founders if node in far) for node in range(nodes)}


def children(edges) -> dict[int, list[int]]:
  """Of every node that has any."""
  below = collections.defaultdict(list)
  for parent, child in edges:
    below[parent].append(child)
  return below


def distances(edges, start: int) -> dict[int, int]:
  """Steps from `start` to every node that it reaches."""
  below, far, line = children(edges), {start: 0}, [start]
  for node in line:
    for child in below.get(node, ()):
      if child not in far:
        far[child] = far[node] + 1
        line.append(child)
  return far


def shortest(edges, start: int, end: int) -> list[int]:
  """The nodes of the shortest path whose later nodes come first where there are several."""
  far, path = distances(edges, start), [end]
  while path[-1] != start:
    path.append(min(a for a, b in edges if b == path[-1] and far.get(a) == far[path[-1]] - 1))
  return path[::-1]
