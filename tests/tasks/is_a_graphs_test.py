"""Graphs are fair questions, have the statistics of the public files, and matched ones no shortcut by distance."""

import collections

import numpy as np
import pytest

from latentmem.tasks import is_a_graphs


@pytest.fixture(scope='module')
def drawn():
  rng = np.random.default_rng(0)
  return {matched: [is_a_graphs.draw(rng, matched) for _ in range(250)] for matched in (False, True)}


def reached(edges, start):
  """By closing the set of edges, not by walking them."""
  seen = {start}
  while more := {b for a, b in edges if a in seen} - seen:
    seen |= more
  return seen


@pytest.mark.parametrize('matched', [False, True])
def test_the_target_is_reached_and_the_wrong_option_is_not(drawn, matched):
  for p in drawn[matched]:
    below = reached(p.edges, p.root)
    assert p.target in below and p.wrong not in below and p.wrong in reached(p.edges, 1 - p.root)
    assert not {p.target, p.wrong} & {parent for parent, _ in p.edges}
    assert all(parent < child for parent, child in p.edges) and len(set(p.edges)) == len(p.edges)
    assert {0, 1}.union(*p.edges) == set(range(p.nodes))
    assert (p.path[0], p.path[-1]) == (p.root, p.target) and set(zip(p.path, p.path[1:])) <= set(p.edges)


def test_paths_are_shortest(drawn):
  for p in drawn[False][:100]:
    layer, steps = {p.root}, 0
    while p.target not in layer:
      layer, steps = {b for a, b in p.edges if a in layer}, steps + 1
    assert len(p.path) == steps + 1


def test_statistics_are_the_public_files(drawn):
  """Means within three standard errors of 250 problems, or of the fit itself."""
  problems = drawn[False]
  nodes, edges = ([f(p) for p in problems] for f in (lambda p: p.nodes, lambda p: len(p.edges)))
  assert abs(np.mean(nodes) - 22.81) < 0.5 and abs(np.std(nodes) - 1.98) < 0.4
  assert abs(np.mean(edges) - 36.0) < 1.2 and abs(np.std(edges) - 5.75) < 1.0
  hops = collections.Counter(len(p.path) - 1 for p in problems)
  for length, share in is_a_graphs.HOPS.items():
    assert abs(hops[length] / 250 - share) < 0.1
  reach = np.mean([len(reached(p.edges, p.root)) - 1 for p in problems])
  assert abs(reach - 12.4) < 1.0
  assert abs(np.mean([p.root for p in problems]) - 0.62) < 0.1


def test_distance_gives_the_answer_away_unless_matched(drawn):
  assert np.mean([is_a_graphs.farther(p) for p in drawn[False]]) > 0.8
  assert abs(np.mean([is_a_graphs.farther(p) for p in drawn[True]]) - 0.5) < 0.03
  for p in drawn[True]:
    own, other = (is_a_graphs.distances(p.edges, root) for root in (p.root, 1 - p.root))
    assert other[p.wrong] == own[p.target] and p.target not in other


@pytest.mark.parametrize('matched', [False, True])
def test_hops_may_be_asked_for(matched):
  rng = np.random.default_rng(1)
  assert {len(is_a_graphs.draw(rng, matched, (3, 4)).path) - 1 for _ in range(40)} <= {3, 4}


@pytest.mark.parametrize('matched', [True, False])
def test_graphs_have_as_many_nodes_as_asked_for(matched):
  problems = [is_a_graphs.draw(np.random.default_rng(i), matched, (3,), nodes=13.0) for i in range(60)]
  assert 12 < np.mean([problem.nodes for problem in problems]) < 15
  assert {len(problem.path) for problem in problems} == {4}
