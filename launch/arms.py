"""The arms of a comparison: ways to learn to answer, each a change of one config. `launch.reason` runs them."""

import copy

from latentmem import model, tasks
from latentmem.base.errors import check_known

# Fields of the task, and how the model feeds thoughts back.
ARMS = dict(
    cot=(dict(stages=0, per_step=0, stage_examples=0, mix=0.0), 'none'),
    no_cot=(dict(stages=1, per_step=0, stage_examples=0, mix=0.0), 'none'),
    none=(dict(per_step=0), 'none'),
    pause=({}, 'pause'),
    feedback=({}, 'feedback'),
    stream=({}, 'stream'),
    state=({}, 'state'),
)

# What holds the state, unless the config's own memory is one: a quarter of the width. Chunks of one token, so that a
# pass over two is not filled up.
STATE = dict(kind='token_state', recurrence='full', kept=0, stride=1, chunk=1)


def of(config: dict, arm: str) -> dict:
  """The config of an arm. Raises InputError for an unknown one, naming the nearest.

  Task and arm say what the model feeds back, how many tokens its question and thoughts take, the window and the length
  of a row, whatever the config says. `state` has a token_state behind each mixer, beside whatever memory the mixer has;
  a config whose own memory is a token_state keeps it.
  """
  check_known(arm, ARMS, 'reason', 'arm')
  config = copy.deepcopy(config)
  changes, feed = ARMS[arm]
  config['data']['task'] |= changes
  asks = tasks.make(**config['data']['task'])
  config['model'] |= dict(feed=feed, question=asks.question, thoughts=asks.thoughts)
  if 'window' in config['model']['compose']:
    config['model']['compose']['window'] = asks.length
  if feed == 'state':
    mixer, memory = config['model']['compose'], config['model']['memory']
    if memory['kind'] != STATE['kind']:
      state = STATE | dict(state=config['model']['width'] // 4)
      config['model'] |= dict(compose=dict(kind='after', mixer=mixer, mixer_memory=memory), memory=state)
  config['model'] = model.fields(**config['model'])
  config['train']['length'] = asks.length
  return config
