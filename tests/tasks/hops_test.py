"""Hops: facts form rings, answers lie that many facts on, and nothing but following them tells which."""

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError

FIELDS = [dict(), dict(rings=1, links=9, questions=4, entities=13, gap=3), dict(rings=3, links=6, hops=3, questions=12),
          dict(hops=1, questions=3, links=2, rings=4)]


def parts(task, example):
  """{start: end} of the facts, the gap's tokens, and (h, entity, target) of the questions."""
  tokens, targets, weights = example
  facts = tokens[:2 * task.facts].reshape(-1, 2)
  begins = 2 * task.facts + task.gap
  asked = np.flatnonzero(weights)
  assert asked.tolist() == list(range(begins + 1, task.length, 2)) and set(weights.tolist()) == {0, 1}
  questions = [(tokens[t - 1] - task.entities + 1, tokens[t], targets[t]) for t in asked]
  return dict(facts.tolist()), facts, tokens[2 * task.facts:begins], questions


@pytest.mark.parametrize('fields', FIELDS, ids=str)
def test_the_answer_lies_that_many_facts_on(fields):
  task = tasks.make('hops', **fields)
  for i in range(30):
    leads, facts, gap, questions = parts(task, task.draw(np.random.default_rng(i)))
    assert sorted(leads) == sorted(leads.values()) and len(leads) == task.facts, 'each entity once on either side'
    assert not {*leads} & {*gap.tolist()} and len(gap) == task.gap
    for i, (hops, here, target) in enumerate(questions):
      assert hops == 1 + i % task.hops
      there = here
      for _ in range(hops):
        there = leads[there]
      assert there == target != here
    ring, here = [], facts[0, 0]
    while here not in ring:
      ring.append(here)
      here = leads[here]
    assert len(ring) == task.links


def test_facts_come_in_any_order_and_answers_may_be_any_other_entity():
  task, firsts, ranks = tasks.make('hops'), [], []
  for i in range(500):
    _, facts, _, questions = parts(task, task.draw(np.random.default_rng(i)))
    firsts.append(facts[0, 0])
    entities = sorted(set(facts[:, 0].tolist()) - {questions[3][1]})
    ranks.append(entities.index(questions[3][2]))
  # Of 15 entities each is the answer as often: within five standard errors of a frequency over 500 draws.
  share = np.bincount(ranks, minlength=15) / 500
  assert np.abs(share - task.chance).max() < 5 * np.sqrt(task.chance / 500)
  assert len(set(firsts)) > 50


def test_training_examples_may_ask_for_fewer_hops():
  task, most = tasks.make('hops', hops=4, fewest=2), []
  for i in range(300):
    questions = parts(task, task.draw_at(np.random.default_rng(i), i))[-1]
    most.append(max(hops for hops, _, _ in questions))
    assert [hops for hops, _, _ in questions] == [1 + q % most[-1] for q in range(task.questions)]
  share = np.bincount(most, minlength=5) / 300
  assert not share[:2].any() and np.abs(share[2:] - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 300)
  assert task.hardest() == tasks.make('hops', hops=4)
  same = [each.draw_at(np.random.default_rng(0), 0).tokens_T for each in (task.hardest(), tasks.make('hops', hops=4))]
  np.testing.assert_array_equal(*same)
  np.testing.assert_array_equal(task.draw(np.random.default_rng(0)).tokens_T, same[0])


def test_scores_are_told_by_hops_over_batches_that_cut_a_question():
  task = tasks.make('hops')
  tokens, targets, weights = (np.stack(a) for a in zip(*(task.draw(np.random.default_rng(i)) for i in range(3))))
  predicted = targets.copy()
  ends = np.flatnonzero(weights[0])
  predicted[0, ends[1]] = predicted[1, ends[5]] = -1  # two of the six questions of two hops
  predicted[2, ends[3]] = -1                          # one of four hops
  scorer = task.scorer()
  for cut in (slice(0, 37), slice(37, None)):
    reset = np.zeros(tokens[:, cut].shape, bool)
    reset[:, 0] = cut.start == 0
    batch = dict(tokens_BT=tokens[:, cut], targets_BT=targets[:, cut], weights_BT=weights[:, cut], reset_BT=reset)
    scorer.add(batch, np.zeros(reset.shape), predicted[:, cut])
  result = task.scorer().merge(scorer.totals()).result()
  assert [result[f'accuracy_{h}'] for h in (1, 2, 3, 4)] == [1, 4 / 6, 1, 5 / 6] and result['accuracy'] == 21 / 24
  assert task.scorer().result()['accuracy_1'] is None


@pytest.mark.parametrize('fields, says', [
    (dict(links=7), 'links=7'), (dict(questions=6), 'questions=6'), (dict(entities=15), 'entities=15'),
    (dict(entities=16, gap=1), 'entities of 17'), (dict(rings=0), 'not 0'), (dict(gap=-1), 'gap=-1'),
    (dict(fewest=5), 'not 5')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('hops', **fields)
