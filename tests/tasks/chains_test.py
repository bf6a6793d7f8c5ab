"""Rows of question, thoughts and rest say at each stage what the curriculum says."""

import dataclasses

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING, THOUGHT
from latentmem.tasks import chains
from latentmem.tasks.chains import BEGIN, END, SAY, STOP

PROBLEM = chains.Problem([10, 11, 12], [[20, 21], [22], [23, 24, 25]], [30])


@dataclasses.dataclass(frozen=True)
class One(chains.Chains):
  """Knows one problem."""

  question: int = 6
  rest: int = 12
  stages: int = 3
  words = tuple(map(str, range(31)))

  def problem(self, rng, heldout=False):
    return PROBLEM


def spans(example, task):
  """Question, thoughts, rest without what fills them; and what is asked after each token of the rest."""
  edges = task.question, task.question + task.thoughts
  question, thoughts, rest = (part[part != NOTHING].tolist() for part in np.split(example.tokens_T, edges))
  return question, thoughts, rest, example.targets_T[example.weights_T > 0].tolist()


@pytest.mark.parametrize('stage, steps', [
    (0, [20, 21, 22, 23, 24, 25]), (1, [22, 23, 24, 25]), (2, [23, 24, 25]), (3, [])])
@pytest.mark.parametrize('per_step, most', [(0, 0), (1, 0), (2, 0), (2, 3), (1, 9)])
def test_a_stage_thinks_in_the_place_of_its_first_steps(stage, steps, per_step, most):
  task = One(per_step=per_step, most=most)
  question, thoughts, rest, asked = spans(task.example(PROBLEM, stage), task)
  assert question == [10, 11, 12, BEGIN]
  assert thoughts == [THOUGHT] * min(stage * per_step, most or 99)
  assert rest + [STOP] == [END, *asked] == [END, *steps, SAY, 30, STOP]


def test_a_direct_task_says_its_answer_right_after_the_last_thought():
  task = One(direct=True)
  assert spans(task.example(PROBLEM, 3), task)[2:] == ([SAY, 30], [30, STOP])
  assert spans(task.example(PROBLEM, 2), task)[2] == [END, 23, 24, 25, SAY, 30]
  assert (task.opens, One().opens, One(direct=True, stages=0).opens) == (SAY, END, END)
  assert spans(One(direct=True, stages=0).example(PROBLEM, 0), One(stages=0))[2][0] == END
  assert task.right(PROBLEM, [30]) and not task.right(PROBLEM, [29]) and not task.right(PROBLEM, [])
  assert One().right(PROBLEM, [SAY, 30]) and not One().right(PROBLEM, [30])


def test_answers_of_one_length_have_no_stop():
  task = One(direct=True, answer=1)
  assert spans(task.example(PROBLEM, 3), task)[2:] == ([SAY], [30])
  assert spans(task.example(PROBLEM, 2), task)[2:] == ([END, 23, 24, 25, SAY], [23, 24, 25, SAY, 30])
  assert task.ends == (SAY, 1) and One().ends is None and task.right(PROBLEM, [30])
  with pytest.raises(InputError, match='has 1 tokens, and the task says that each has 2'):
    One(answer=2).example(PROBLEM, 0)


def test_only_what_follows_a_token_of_the_rest_is_asked():
  task = One()
  example = task.example(PROBLEM, 1)
  assert not example.weights_T[:task.question + task.thoughts].any()
  np.testing.assert_array_equal(example.weights_T > 0, (example.tokens_T >= 0) & (np.arange(21) >= 9))


def test_without_stages_every_step_stays():
  task = One(stages=0)
  for example in (task.draw(np.random.default_rng(0)), task.draw_at(np.random.default_rng(0), 10 ** 6)):
    assert spans(example, task)[2] == [END, 20, 21, 22, 23, 24, 25, SAY, 30]


def test_the_last_stage_leaves_out_steps_that_are_more_than_stages():
  task = One(stages=2)
  assert spans(task.draw(np.random.default_rng(0)), task)[1:3] == ([THOUGHT] * 2, [END, SAY, 30])


def test_training_goes_through_the_stages_and_held_out_examples_are_of_the_last():
  task = One(stage_examples=10)
  thoughts = [len(spans(task.draw_at(np.random.default_rng(i), i), task)[1]) for i in (0, 9, 10, 19, 20, 30, 1000)]
  assert thoughts == [0, 0, 1, 1, 2, 3, 3]
  assert len(spans(task.draw(np.random.default_rng(0)), task)[1]) == 3
  assert len(spans(One().draw_at(np.random.default_rng(0), 0), One())[1]) == 3


def test_the_first_stage_may_last_longer():
  task = One(stage_examples=10, first_examples=25)
  stages = [spans(task.draw_at(np.random.default_rng(i), i), task)[1].count(THOUGHT) for i in range(60)]
  assert stages == [0] * 25 + [1] * 10 + [2] * 10 + [3] * 15


def test_a_mix_has_some_of_every_stage():
  task = One(stage_examples=10, mix=0.5)
  thoughts = [len(spans(task.draw_at(np.random.default_rng(i), 0), task)[1]) for i in range(400)]
  share = np.bincount(thoughts, minlength=4) / 400
  np.testing.assert_allclose(share, [0.625, 0.125, 0.125, 0.125], atol=0.08)


@pytest.mark.parametrize('chosen, said', [
    (dict(question=3), r'takes 4 tokens of question, and there is room for 3: question=4 would do'),
    (dict(rest=8), r'takes 9 tokens of rest, and there is room for 8: rest=9 would do'),
])
def test_what_does_not_fit_is_refused(chosen, said):
  with pytest.raises(InputError, match=said):
    One(**chosen).example(PROBLEM, 0)


@pytest.mark.parametrize('chosen', [dict(question=1), dict(rest=2), dict(stages=-1), dict(per_step=-1), dict(most=-1),
                                    dict(answer=-1), dict(stage_examples=-1), dict(first_examples=-1), dict(mix=1.5),
                                    dict(mix=-0.1)])
def test_sizes_that_make_no_sense_are_refused(chosen):
  name, value = next(iter(chosen.items()))
  with pytest.raises(InputError, match=rf'prosqa .*{name}.*{value}'):
    tasks.make('prosqa', **chosen)
