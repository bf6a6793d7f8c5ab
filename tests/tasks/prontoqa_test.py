"""What is said follows from the premises, by the steps that are given, and nothing cheaper tells."""

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError

TASK = tasks.make('prontoqa')


def sentences(tokens):
  text = ' '.join(TASK.words[t] for t in tokens)
  return [s.strip() for s in text.replace('?', '.').split('.') if s.strip()]


@pytest.mark.parametrize('seed', range(20))
def test_the_answer_follows_by_the_steps(seed):
  problem = TASK.problem(np.random.default_rng(seed))
  *premises, start, query = sentences(problem.question)
  rules = {}
  for premise in premises:
    every, thing, *says = premise.split()
    assert every == 'Every'
    rules.setdefault(thing, []).append(' '.join(says))
  who, first, *steps = start.split()[0], start, *(sentences(step)[0] for step in problem.steps)
  said = first
  for step in steps:
    assert step.removeprefix(who + ' ') in rules[said.split()[-1]]
    said = step
  claim = query.removeprefix('True or false : ')
  truth = [TASK.words[t] for t in problem.answer]
  assert truth == ['True' if claim == said else 'False']
  assert claim.replace('not ', '') == said.replace('not ', '')
  assert len(steps) == TASK.hops


def test_no_rule_that_counts_words_tells():
  problems = [TASK.problem(np.random.default_rng(seed)) for seed in range(400)]
  true, negated, nots = TASK.number['True'], TASK.number['not'], []
  answers = np.array([p.answer == [true] for p in problems])
  for p in problems:
    nots.append([p.question.count(negated), p.question[-3] == negated, p.question[0] % 2])
  assert abs(answers.mean() - 0.5) < 0.08
  for column in np.array(nots).T:
    assert abs(np.mean((column > np.median(column)) == answers) - 0.5) < 0.08
  # Both claims about the property stand in every problem.
  assert {p.question[:-6].count(negated) for p in problems} == {1}


def test_hops_that_need_more_things_than_there_are_are_refused():
  with pytest.raises(InputError, match='takes 1 to 12 hops, not 13'):
    tasks.make('prontoqa', hops=13)
