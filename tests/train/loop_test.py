"""The loop leaves records that can be relied on, and stops where it should."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import tasks
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import checkpoint, loop, results
from latentmem.train import state as states
from latentmem.train.program import Program
from launch import parts
from tests.train import small


class Batches:
  """A source whose batches hold the bad token at the steps that `bad` names."""

  vocab, fingerprint = 16, 'x'

  def __init__(self, bad):
    self.bad = bad

  def describe(self):
    return dict(kind='task', fingerprint=self.fingerprint)

  def train(self, rows, length, align, seed, shard, shards, start):
    from latentmem.data import pipeline
    def row(step, b):
      batch = small.batch(rows, length, seed=step)
      if step + 1 in self.bad and b == 2:
        batch['tokens_BT'][b, 3] = small.BAD
      return {name: x[b] for name, x in batch.items()}
    return pipeline.endless(row, rows, shard, shards, start)

  def heldout(self, rows, length, align, shard=0, shards=1):
    return [small.batch(rows, length, seed=99)]

  def scorer(self):
    return tasks.make('recall').scorer()


class Tells(small.Fragile):
  """Sows a 1 for every token."""

  def __call__(self, carry, tokens_BT, *args, **kwargs):
    ones_BTH = jnp.ones((*tokens_BT.shape, 1))
    self.sow('telemetry', 'seen', ones_BTH, reduce_fn=lambda _, new: new, init_fn=lambda: None)
    return super().__call__(carry, tokens_BT, *args, **kwargs)


def test_metrics_hold_what_the_contract_names(tmp_path):
  run, trained = small.run(tmp_path / 'run', small.config())
  line = run.metrics('train')[4]
  assert {'step', 'split', 'loss', 'bits', 'grad_norm', 'learning_rate', 'skipped', 'tokens', 'seconds',
          'tokens_per_s'} == set(line)
  assert line['step'] == 5 and line['tokens'] == 5 * 64 and line['bits'] == pytest.approx(line['loss'] / math.log(2))
  assert run.metrics('heldout')[-1]['accuracy'] is not None
  seconds = [each['seconds'] for each in run.metrics('train')]
  assert seconds == sorted(seconds) and trained.seconds >= seconds[-1]


def test_checkpoints_come_when_they_should(tmp_path):
  run, _ = small.run(tmp_path / 'run', small.config(save_every=4, keep=2))
  assert checkpoint.steps_in(run.checkpoints) == [8, 12]


def test_training_starts_with_what_another_run_learned(tmp_path):
  quiet = dict(steps=3, telemetry_every=0, evaluate_every=0)
  first, _ = small.run(tmp_path / 'first', small.config('titans', **quiet))
  learned = checkpoint.load_params(first.path)[1]
  again = small.config('titans', **quiet, start=str(first.path), learning_rate=0.0, weight_decay=0.0)
  second, _ = small.run(tmp_path / 'second', again, leave=1)
  assert small.same(checkpoint.load_params(second.path)[1], learned)
  # The memory holds the first weights of a document, which are parameters too.
  built = parts.build(second.config)
  program = Program(built.model, built.train, built.place)
  begun, anew = program.create(0, learned), program.create(0)
  fresh = states.fresh_carry(built.model, learned, 8)
  assert small.same(begun.carry, fresh) and not small.same(anew.carry, fresh) and not begun.step
  # It goes on where it stopped, and no longer needs the run that it began with.
  first.path.rename(tmp_path / 'elsewhere')
  second, _ = small.run(tmp_path / 'second', again)
  assert [line['step'] for line in second.metrics('train')] == [1, 2, 3]
  assert small.same(checkpoint.load_params(second.path)[1], learned)


def test_new_parameters_are_prepared_once(tmp_path):
  still = dict(steps=3, telemetry_every=0, evaluate_every=0, save_every=1, learning_rate=0.0, weight_decay=0.0)
  asked = []
  def prepare(params):
    asked.append(params)
    return jax.tree.map(lambda a: a + 1, params)
  first, left = small.run(tmp_path / 'first', small.config('titans', **still), leave=1, prepare=prepare)
  assert small.same(checkpoint.load_params(first.path)[1], jax.tree.map(lambda a: a + 1, asked[0]))
  # Neither a run that goes on nor one that starts from another is prepared.
  small.run(tmp_path / 'first', small.config('titans', **still), prepare=prepare)
  small.run(tmp_path / 'second', small.config('titans', **still, start=str(first.path)), prepare=prepare)
  assert len(asked) == 1 and not left.done


def test_what_cannot_be_started_from_is_refused(tmp_path):
  first, _ = small.run(tmp_path / 'first', small.config(steps=1))
  for start, message in ((first.path, 'does not fit the model: .* wanted'), (tmp_path / 'none', 'There is no folder')):
    with pytest.raises(InputError, match=message):
      small.run(tmp_path / f'second-{start.name}', small.config('delta', start=str(start)))


def test_log_every_thins_the_lines_and_keeps_the_ends(tmp_path):
  run, _ = small.run(tmp_path / 'run', small.config(log_every=5))
  assert [line['step'] for line in run.metrics('train')] == [1, 5, 10, 12]


@pytest.fixture
def learns(monkeypatch):
  """Held-out scores by step, in the place of the model's."""
  accuracies = iter((0.2, 0.4, 0.5, 0.9, 0.9, 0.9))
  monkeypatch.setattr(loop, 'heldout', lambda *_: dict(accuracy=next(accuracies)))


def test_training_ends_with_enough(tmp_path, learns):
  config = small.config(evaluate_every=2, save_every=5, log_every=5, enough=0.5)
  run, trained = small.run(tmp_path / 'run', config, leave=3)
  assert not trained.done and not trained.enough
  for _ in range(2):
    run, trained = small.run(tmp_path / 'run', config)
    assert trained.done and trained.enough and int(trained.state.step) == 6
    assert [line['accuracy'] for line in run.metrics('heldout')] == [0.2, 0.4, 0.5]
    assert checkpoint.steps_in(run.checkpoints) == [5, 6]
  result = results.finish(run, trained, parts.build(config).source)
  assert (result['steps'], result['tokens']) == (6, 6 * 64)


def test_what_is_not_enough_goes_on_to_the_end(tmp_path, learns):
  run, trained = small.run(tmp_path / 'run', small.config(evaluate_every=2, enough=0.95))
  assert trained.done and not trained.enough and int(trained.state.step) == 12


def test_enough_needs_an_accuracy(tmp_path):
  class Untold(Batches):
    def scorer(self):
      return tasks.make('text').scorer()
  with pytest.raises(InputError, match='train.enough=0.5 asks for a held-out accuracy, and task data have none'):
    small.run(tmp_path / 'run', small.config(enough=0.5), source=Untold(()))


def test_updates_that_are_not_finite_are_counted_and_training_goes_on(tmp_path):
  run, trained = small.run(tmp_path / 'run', small.config(skips_allowed=1), model=small.Fragile(),
                           source=Batches(bad={4, 6, 8}), leave=9)
  skipped = {line['step']: line['skipped'] for line in run.metrics('train')}
  assert [skipped[s] for s in (3, 4, 5, 6, 7, 8)] == [0, 1, 1, 2, 2, 3]


def test_too_many_in_a_row_stop_it_with_the_layers_name(tmp_path):
  with pytest.raises(loop.NonFinite, match=r'2 updates in a row.*At step 7 .*Fragile/layers\[1\]'):
    small.run(tmp_path / 'run', small.config(skips_allowed=1), model=small.Fragile(), source=Batches(bad={6, 7}))
  run = records.read(tmp_path / 'run')
  assert [line['step'] for line in run.metrics('train')] == list(range(1, 8))
  assert checkpoint.problem(run.checkpoints / '4') is None and checkpoint.steps_in(run.checkpoints) == [4]


def test_a_config_that_differs_is_refused_and_the_run_stays(tmp_path):
  run, _ = small.run(tmp_path / 'run', small.config())
  with pytest.raises(InputError, match='train.learning_rate: 0.01 there, 0.02 asked for'):
    small.run(tmp_path / 'run', small.config(learning_rate=0.02))
  assert checkpoint.steps_in(run.checkpoints) == [8, 12]


def test_other_data_are_refused(tmp_path):
  run, _ = small.run(tmp_path / 'run', small.config(), leave=5)
  described = records.read_json(run.path / 'data.json')
  run.write('data.json', described | dict(fingerprint='0123456789abcdef'))
  with pytest.raises(InputError, match='was trained on other data .fingerprint 0123456789ab'):
    small.run(tmp_path / 'run', small.config())


def test_rows_that_devices_cannot_share_are_refused(tmp_path):
  with pytest.raises(InputError, match='rows=6 cannot be shared by 4 devices'):
    small.run(tmp_path / 'run', small.config(mesh=4, rows=6, accumulate=1))


def test_telemetry_comes_when_it_should(tmp_path):
  run, _ = small.run(tmp_path / 'run', small.config(telemetry_every=5), model=Tells(), source=Batches(()))
  assert [(line['step'], line['seen']) for line in run.metrics('telemetry')] == [(5, [[1.0]]), (10, [[1.0]])]


def test_bytes_per_token_weighs_what_is_scored():
  weights_BT, bytes_BT = np.array([[1, 0, 1.0]]), np.array([[2, 9, 4.0]])
  assert loop.bytes_per_token(dict(weights_BT=weights_BT, bytes_BT=bytes_BT)) == 3
  assert loop.bytes_per_token(dict(weights_BT=weights_BT)) == 1


def test_what_scoring_would_refuse_is_refused_before_the_first_step(tmp_path):
  config = small.config('titans')
  config['evaluate']['length'] = 6
  with pytest.raises(InputError, match='not a multiple of 4'):
    small.run(tmp_path / 'run', config)
  assert not records.read(tmp_path / 'run').metrics()


@pytest.mark.parametrize('profile_from', [0, 2])
def test_a_profile_is_left_where_steps_are_asked_for(tmp_path, profile_from):
  small.run(tmp_path / 'run', small.config(steps=3, profile_from=profile_from, profile_steps=1))
  assert list((tmp_path / 'run' / 'profile').rglob('*.xplane.pb'))
