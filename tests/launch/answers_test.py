"""Scores are of every problem, costs of what was done, and nothing that does not fit is trained for."""

import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from configs import reason as config
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import interface
from latentmem.tasks import chains
from launch import answers, arms, parts
from tests.cases import slow
from tests.tasks.prosqa_test import file_of, RECORD


def built(arm, choice='matched', **task):
  chosen = config.get_config(choice).to_dict()
  chosen['data']['task'] |= task
  chosen = arms.of(chosen, arm)
  chosen['model'] |= dict(width=16, layers=1)
  it = parts.build(chosen)
  return it, interface.init_params(it.model, jax.random.key(0))


@pytest.mark.parametrize('arm', ['state', slow('pause')])
def test_scores_are_of_every_problem_whatever_the_batch(arm):
  it, params = built(arm)
  asks = it.source.asks
  asked = asks.heldout_problems(7)
  some, whole = (answers.scored(it.model, asks, answers.given(it.model, params, asks, asked, 2, 0.0, rows, True))
                 for rows in (3, 7))
  for name in ('right', 'problems', 'said', 'cut', 'flops', 'rules'):
    assert some[name] == whole[name]
  assert some['rules'] == dict(farther=0.5) and some['problems'] == 7
  np.testing.assert_allclose(some['size_of_thought'], whole['size_of_thought'], rtol=1e-5)
  assert len(some['size_of_thought']) == len(some['size_of_held']) == (8 if arm == 'state' else 0)
  if arm == 'state':
    assert np.shape(some['gates']) == (8, 3) and 0 < np.min(some['gates']) <= np.max(some['gates']) == 1


def test_what_a_model_thinks_is_written(tmp_path):
  it, params = built('stream')
  run = records.create(tmp_path / 'run', dict(seed=0))
  got = answers.given(it.model, params, it.source.asks, it.source.asks.heldout_problems(3), 1, 0.0, rows=3)
  answers.look(run, it.model, params, it.source.asks, got, 2)
  answers.keep_trail(run, it.source.asks, got, 2)
  told = json.loads((run.path / 'thoughts.json').read_text())
  assert len(told) == 2 and [len(each['thoughts']) for each in told] == [8, 8] and len(told[0]['thoughts'][0]) == 3
  assert (run.path / 'figures' / 'thoughts.png').read_bytes().startswith(b'\x89PNG')
  trail = np.load(run.path / 'trail.npz', allow_pickle=False)
  assert trail['question_BQ'].shape == (2, it.model.question) and trail['h_BKD'].shape == (2, 8, 16)
  np.testing.assert_array_equal(trail['h_BKD'], got.answers.h_BKD[:2])
  assert trail['held_BKE'].shape == (2, 8, 16) and trail['held_BKE'][:, 1:].all()


def test_an_arm_without_passes_that_think_shows_nothing(tmp_path):
  it, params = built('pause')
  run = records.create(tmp_path / 'run', dict(seed=0))
  got = answers.given(it.model, params, it.source.asks, it.source.asks.heldout_problems(1), 1, 0.0, rows=1)
  answers.look(run, it.model, params, it.source.asks, got)
  answers.keep_trail(run, it.source.asks, got, 0)
  assert not (run.path / 'trail.npz').exists() and not (run.path / 'thoughts.json').exists()


def test_a_pass_over_a_state_is_not_filled_up():
  """A thought costs the state's arm no more than its memory's share of a token."""
  for arm in ('feedback', 'state'):
    it, params = built(arm)
    costs = answers.Answerer(it.model, params, 1, 3, 1).costs()
    assert costs['first'] < 2.2 * costs['token']


def test_an_answer_that_was_cut_off_is_not_right():
  it, _ = built('pause')
  task = it.source.asks
  problem = task.problem(np.random.default_rng(0))
  said = np.array([[chains.SAY, *problem.answer]] * 2)
  given = answers.Given([problem] * 2, SimpleNamespace(tokens_BA=said, cut_B=np.array([False, True])), 0.0, 2, {})
  assert answers.right(task, given) == 1


@pytest.mark.parametrize('choice', list(config.TASKS))
def test_held_out_problems_of_every_config_fit(choice):
  it, _ = built('pause', choice)
  answers.check(dict(problems=20, longest=3, still=0.0, trail=0), it.source)


@pytest.mark.parametrize('chosen, said', [
    (dict(problems=0), r'reason.problems=0; it must be a whole number, at least 1'),
    (dict(longest='3'), r"reason.longest='3'; it must be a whole number"),
    (dict(still=-1.0), r'reason.still=-1.0'), (dict(still=float('nan')), 'reason.still=nan'),
    (dict(longest=1.5), 'reason.longest=1.5'), (dict(trail=True), 'reason.trail=True'),
    (dict(problem=5), r"reason has no field 'problem' .did you mean 'problems'"),
])
def test_what_cannot_be_followed_is_refused(chosen, said):
  it, _ = built('pause')
  with pytest.raises(InputError, match=said):
    answers.check(dict(problems=2, longest=3, still=0.0, trail=0) | chosen, it.source)


def test_problems_that_do_not_fit_are_refused_before_training(tmp_path):
  it, _ = built('pause', heldout_file=file_of(tmp_path, RECORD), question=20)
  with pytest.raises(InputError, match='up to 23 tokens of question .* room for 20 and 16: question=23, rest=16'):
    answers.check(dict(problems=1, longest=3, still=0.0, trail=0), it.source)
