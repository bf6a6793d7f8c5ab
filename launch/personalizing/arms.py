"""The arms of a comparison of personal memories: one base, one set of persons, one adapter each."""

import copy
from typing import NamedTuple

from latentmem import data, personal, train
from latentmem.base.errors import check_known, InputError
from latentmem.data import pipeline
from latentmem.personal.model import Personal
from latentmem.train.placement import Placement
from launch import parts
from launch.personalizing import bases
from launch.personalizing.bases import Base

KNOWN = ('seed', 'mesh', 'data', 'train', 'evaluate', 'personal')


class Arm(NamedTuple):
  """What an arm's config names; `config` has every field, and the base's."""

  config: dict
  source: object
  model: Personal
  train: train.Train
  evaluate: train.Evaluate
  place: Placement


def check(config: dict) -> None:
  """Raises InputError for a config that is no comparison of personal memories."""
  if 'personal' not in config:
    raise InputError('launch.personalize needs a config with a part `personal`, as configs/personal.py:lpm has.')
  for name in config:
    check_known(name, KNOWN, 'A config of personal memories', 'part')
  pipeline.check_seed(config['seed'])
  parts.check_mesh(config['mesh'])


def of_run(run: str, config: dict) -> tuple[Arm, Base]:
  """The arm that a run's config tells, and its base. Raises InputError as `bases.of_run`, and as `build`."""
  base = bases.of_run(run, config, parts.mesh(**config['mesh'], rows=config['train']['rows']))
  adapter = config['personal']
  arm = adapter['kind']
  chosen = {'arm': arm, 'learning_rate': {arm: config['train']['learning_rate']}, arm: adapter}
  return build({name: config[name] for name in KNOWN} | dict(personal=chosen), arm, base), base


def build(config: dict, arm: str, base: Base) -> Arm:
  """An arm of a config. Raises InputError for an unknown arm and for what does not fit the base."""
  config = copy.deepcopy(config)
  chosen = config.pop('personal')
  check_known(arm, personal.kinds(), 'personal', 'arm')
  adapter = personal.fields(**chosen[arm])
  source = data.make(config['data'])
  asks = source.asks
  if not hasattr(asks, 'people'):
    named = config['data'].get('task', config['data'])['kind']
    raise InputError(f"Personal memories are asked by the task 'persona' or about 'conversations', not {named!r}.")
  if base.fields['vocab'] != asks.vocab:
    raise InputError(f'The base in {base.folder} has {base.fields["vocab"]} tokens and the questions have '
                     f"{asks.vocab}; a base that learned 'persona_context' has as many, and one that reads text "
                     'has a tokenizer.json in its folder.')
  made = personal.make(adapter, base.fields, asks.people)
  fields = base.seeing(made.prompt + asks.length)
  settings = train.fields(**config['train'] | dict(length=asks.length, learning_rate=chosen['learning_rate'][arm]))
  scored = train.evaluate_fields(**config['evaluate'])
  whole = dict(config, data=data.fields(config['data']), train=settings, evaluate=scored, model=base.fields,
               personal=adapter, base=dict(folder=base.folder, fingerprint=base.fingerprint))
  place = Placement(parts.mesh(**config['mesh'], rows=settings['rows']))
  return Arm(whole, source, Personal(fields, adapter, asks.people, asks.question), train.build(train.Train, settings),
             train.build(train.Evaluate, scored), place)
