"""The arms of a comparison of what passes between two models, each a change of one config. `launch.share` runs them."""

import copy

from latentmem import model
from latentmem.base.errors import check_known, InputError

# Fields of the model. `text` passes as many bits as `slots`; `none` is trained with nothing that passes.
ARMS = dict(
    slots={},
    halves=dict(views=2),
    text=dict(channel='text'),
    none=dict(sent='zeroed'),
)


def of(config: dict, arm: str) -> dict:
  """The config of an arm. Raises InputError for an unknown one, naming the nearest, and for another kind of model."""
  check_known(arm, ARMS, 'share', 'arm')
  if config['model']['kind'] != 'sharing':
    raise InputError(f"launch.share compares models of the kind 'sharing' (configs/share.py), not "
                     f"{config['model']['kind']!r}.")
  config = copy.deepcopy(config)
  pair = config['model']
  pair |= ARMS[arm]
  sees = pair['perception']['memory']
  slots = pair['reasoning']['memory']['slots']
  if slots % pair['views'] or pair['scene'] % pair['views']:
    raise InputError(f'{pair["views"]} views cannot share {slots} slots and a scene of {pair["scene"]} tokens evenly.')
  each = slots // pair['views']
  sees |= dict(slots=each, opened=each, chunk=pair['scene'] // pair['views'])
  config['model'] = model.fields(**pair)
  return config
