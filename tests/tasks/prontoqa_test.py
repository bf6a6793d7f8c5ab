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


def holders(problem):
  """The things that are said to have the property or not to have it: the one of the steps first."""
  has = problem.steps[-1][2:-1]
  dot, the_not = TASK.number['.'], TASK.number['not']
  premises, line = [], []
  for t in problem.question:
    line.append(t)
    if t == dot:
      premises.append(line)
      line = []
  about = {tuple(p[3:-1]): p[1] for p in premises if p[-2] == has[-1]}
  other = (has[-1],) if has[0] == the_not else (the_not, has[-1])
  return about[tuple(has)], about[other]


def test_no_rule_that_counts_words_tells():
  problems = [TASK.problem(np.random.default_rng(seed)) for seed in range(400)]
  true, negated, nots = TASK.number['True'], TASK.number['not'], []
  answers = np.array([p.answer == [true] for p in problems])
  for p in problems:
    nots.append([p.question.count(negated), p.question[-3] == negated, p.question[0] % 2])
  assert abs(answers.mean() - 0.5) < 0.08
  for column in np.array(nots).T:
    assert abs(np.mean((column > np.median(column)) == answers) - 0.5) < 0.08
  # Of the two things that are said to have the property, the one that is spoken of more, or later, or earlier.
  for rule in (lambda p, t: p.question.count(t), lambda p, t: p.question.index(t)):
    held = [[rule(p, t) for t in holders(p)] for p in problems]
    score = np.mean([0.5 if a == b else float(a > b) for a, b in held])
    assert abs(score - 0.5) < 0.08
  # Both claims about the property stand in every problem.
  assert {p.question[:-6].count(negated) for p in problems} == {1}


def test_hops_that_need_more_things_than_there_are_are_refused():
  with pytest.raises(InputError, match='takes 1 to 9 hops, not 10'):
    tasks.make('prontoqa', hops=10)
