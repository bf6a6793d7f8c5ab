"""Arms are one config with what makes them arms changed, and every one of them can be built."""

import numpy as np
import pytest

from configs import reason
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.tasks import answers
from latentmem.train import results
from latentmem.train.preemption import Preemption
from launch import arms, comparing, parts
from tests.train import small


def config(choice='prosqa'):
  return reason.get_config(choice).to_dict()


@pytest.mark.parametrize('arm, feed, thoughts, stages', [
    ('cot', 'none', 0, 0), ('no_cot', 'none', 0, 1), ('none', 'none', 0, 4), ('pause', 'pause', 8, 4),
    ('feedback', 'feedback', 8, 4), ('stream', 'stream', 8, 4), ('state', 'state', 8, 4)])
def test_an_arm_is_what_it_is_called(arm, feed, thoughts, stages):
  before = config()
  chosen = arms.of(before, arm)
  built = parts.build(chosen)
  assert (built.model.feed, built.model.thoughts, built.source.asks.stages) == (feed, thoughts, stages)
  assert built.model.question == built.source.asks.question == 132
  assert chosen['train']['length'] == built.source.asks.length
  assert before == config()
  same = [{k: v for k, v in c.items() if k not in ('model', 'data', 'train')} for c in (before, chosen)]
  assert same[0] == same[1]


def test_the_state_of_the_state_arm_runs_after_the_mixer():
  chosen = arms.of(config(), 'state')['model']
  assert chosen['compose']['kind'] == 'after' and chosen['compose']['mixer']['kind'] == 'attention'
  assert chosen['memory']['kind'] == 'token_state' and chosen['memory']['recurrence'] == 'full'


def test_the_state_arm_keeps_the_memory_that_the_config_has():
  beside = config() | dict(model=config()['model'] | dict(
      compose=dict(kind='mag', heads=4, window=8), memory=dict(kind='titans', heads=4, chunk=4)))
  chosen = arms.of(beside, 'state')['model']
  assert chosen['compose']['mixer_memory']['kind'] == 'titans' and chosen['memory']['kind'] == 'token_state'
  own = dict(kind='token_state', recurrence='input', state=32, kept=4)
  alone = config() | dict(model=config()['model'] | dict(
      compose=dict(kind='after', mixer=dict(kind='attention', heads=4, window=8)), memory=own))
  chosen = arms.of(alone, 'state')['model']
  assert chosen['memory'].items() >= own.items() and chosen['compose']['mixer']['kind'] == 'attention'


def test_a_table_has_the_runs_of_its_seeds_alone(tmp_path):
  for name in ('cot-0', 'cot-1', 'cot-7', 'none-1'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'answers.json').write_text(f'"{name}"')
  assert comparing.pages(tmp_path, ['cot', 'none'], range(2)) == dict(cot=['cot-0', 'cot-1'], none=['none-1'])
  assert comparing.seeds(dict(seed=3), 2, ['cot']) == range(3, 5)
  for seed, count, names, said in ((0, 0, ['cot'], '--seeds=0'), (2 ** 32 - 1, 2, ['cot'], '--seeds=2 from seed 42949'),
                                   (0, 1, [], '--arms is empty')):
    with pytest.raises(InputError, match=said):
      comparing.seeds(dict(seed=seed), count, names)


@pytest.mark.parametrize('enough, steps, said', [(1.0, 2, True), (1e-9, 1, False), (0.0, 2, False)])
def test_an_arm_that_stays_below_enough_is_told(tmp_path, capsys, monkeypatch, enough, steps, said):
  monkeypatch.setattr(answers.Answers, 'result', lambda self: dict(accuracy=0.5))
  built = parts.build(small.config(steps=2, evaluate_every=1, enough=enough))
  with Preemption() as preemption:
    run = results.begin(tmp_path / 'arm', built.config, built.source, parts.filled)
    assert comparing.trained(run, built, 0, preemption) is not None
  told = f'{run.path} made all its 2 steps and stayed below train.enough=1.0.' in capsys.readouterr().out
  assert told == said and records.read(run.path).result['steps'] == steps


def test_every_arm_learns_the_same_problems():
  asks = {arm: parts.build(arms.of(config('matched'), arm)).source.asks for arm in arms.ARMS}
  for heldout in (False, True):
    problems = [task.problem(np.random.default_rng(3), heldout) for task in asks.values()]
    assert all(problem == problems[0] for problem in problems)


def test_answers_alone_are_learned_from_answers_alone():
  task = parts.build(arms.of(config('matched'), 'no_cot')).source.asks
  lengths = {int(task.draw_at(np.random.default_rng(i), i).weights_T.sum()) for i in range(40)}
  assert lengths == {3}


def test_an_unknown_arm_is_refused_with_the_nearest():
  with pytest.raises(InputError, match="reason has no arm 'feedbak' .did you mean 'feedback'"):
    arms.of(config(), 'feedbak')


@pytest.mark.parametrize('change, said', [
    (dict(question=120), 'model.question=120 does not fit the task, whose rows have 132'),
    (dict(thoughts=3), 'model.thoughts=3 does not fit the task, whose rows have 8'),
])
def test_rows_that_the_model_would_read_wrongly_are_refused(change, said):
  wrong = config()
  wrong['model'] |= change
  with pytest.raises(InputError, match=said):
    parts.build(wrong)


def test_rows_that_are_not_read_whole_are_refused():
  for room, change in (('train', dict(length=100)), ('evaluate', dict(length=100))):
    with pytest.raises(InputError, match=f'{room}.length=100 does not fit the task, whose rows have 156 tokens'):
      parts.build(config() | {room: config()[room] | change})
  wrong = config()
  wrong['model']['compose']['window'] = 100
  with pytest.raises(InputError, match='window=100 does not see how a row of 156 tokens begins; window=156 does'):
    parts.build(wrong)


def test_a_window_follows_the_rows():
  wide = config()
  wide['data']['task'] |= dict(form='words', question=330, rest=48)
  chosen = arms.of(wide, 'pause')
  assert parts.build(chosen).model.compose['window'] == 386


def test_rows_with_thoughts_are_for_a_model_that_thinks():
  wrong = config()
  wrong['model'] = dict(kind='decoder', compose=dict(kind='attention'))
  with pytest.raises(InputError, match="model 'decoder' with the task 'prosqa'"):
    parts.build(wrong)
  wrong = config()
  wrong['data'] = dict(kind='task', task=dict(kind='recall'))
  with pytest.raises(InputError, match="model 'latent' with the task 'recall'"):
    parts.build(wrong)
