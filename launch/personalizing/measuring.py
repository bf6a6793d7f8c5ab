"""What an adapter takes from questions of training before the first step."""

from collections.abc import Callable

import jax

from latentmem import personal
from latentmem.personal import questions
from latentmem.personal.questions import Moments

QUESTIONS = 4096


def prepare(arm, seed: int, frozen: dict) -> Callable[[dict], dict] | None:
  """What makes of an arm's new parameters those to begin with; None for an adapter that measures nothing."""
  adapter = personal.make(arm.config['personal'], arm.config['model'], 1)
  if not adapter.measures:
    return None

  def prepared(params):
    tables = params['params']['personal']
    shared = adapter.measured(tables['shared'], moments(arm, seed, frozen))
    placed = jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), shared, tables['shared'])
    return params | dict(params=params['params'] | dict(personal=tables | dict(shared=placed)))
  return prepared


def moments(arm, seed: int, frozen: dict, count: int = QUESTIONS) -> Moments:
  """Sums over the first questions that training asks, so many or a few more, in float64."""
  rows, (shard, shards) = arm.train.rows, arm.place.share()
  batches = arm.source.train(rows, arm.train.length, arm.model.align, seed, shard, shards)

  def read(frozen, batch):
    with arm.place.context():
      return arm.model.apply(frozen, batch['tokens_BT'], method='asked')
  read = jax.jit(read, out_shardings=arm.place.everywhere)
  found = Moments(0.0, 0.0, 0.0)
  for _ in range(-(-count // rows)):
    found += questions.moments(*read(frozen, arm.place.batch(next(batches))))
  return found
