"""Models: tokens to logits, with one carry for everything that persists. One file is one model."""

from latentmem import memory
from latentmem.base import naming
from latentmem.base.errors import hint, InputError
from latentmem.model import compose

_ROOM = naming.Room(__name__, shared=('blocks', 'compose', 'qwen3_weights', 'reasoning', 'sources'))
kinds, find = _ROOM.kinds, _ROOM.find

# Sizes, whatever part of a model has them, and the least they may be.
LEAST = dict(width=1, layers=1, vocab=0, ff=0, heads=1, kv_heads=1, head_width=0, hidden=1, chunk=1, segment=1,
             window=0, context=1, persistent=0, conv=0, expansion=1)

# Fields that say how a model is computed, and not what: they do not tell one base of stored memories from another.
HOW = ('context', 'dtype', 'remat', 'scan')

DTYPES = ('float32', 'bfloat16', 'float16', 'float64')

# What a memory gets from the model, so that no config records it twice.
_GIVEN_MEMORY = ('width', 'state_dtype')


def fields(kind: str, **chosen) -> dict:
  """All fields of a model, its composition and its memory, at their defaults unless chosen: what a config records.

  Raises InputError for an unknown field or kind, and for a memory in a composition that takes none.
  """
  filled = _ROOM.fields(kind, **chosen)
  _check(filled)
  for name in getattr(find(kind), 'models', ()):
    filled[name] = _without_vocab(kind, name, filled[name])
  if 'compose' not in filled:
    return filled
  default = _ROOM.fields(kind)
  mixer = default['compose'] | dict(filled['compose'])
  held = default['memory'] | dict(filled['memory'])
  filled['compose'], filled['memory'] = _joined(mixer, held, 'memory' in chosen)
  return filled


def make(kind: str, **chosen):
  """Builds a model with its fields."""
  return _ROOM.build(fields(kind, **chosen))


def _without_vocab(kind: str, name: str, chosen: dict) -> dict:
  """All fields of a model inside another, which hands down its vocabulary."""
  if 'vocab' in chosen:
    raise InputError(f"The {name} of {kind} takes 'vocab' from it; it cannot be chosen for it alone.")
  filled = fields(**chosen)
  del filled['vocab']
  return filled


def _joined(mixer: dict, held: dict, held_chosen: bool = True) -> tuple[dict, dict]:
  """All fields of a composition and of its memory; those of a composition inside it too."""
  join = compose.find(mixer['kind'])
  mixer = _nested(compose, mixer, join.given)
  if 'mixer' in mixer:
    mixer['mixer'], mixer['mixer_memory'] = _joined(dict(mixer['mixer']), dict(mixer['mixer_memory']))
  if not join.takes_memory:
    if held['kind'] != 'none' and held_chosen:
      raise InputError(f"composition {mixer['kind']!r} has no memory; found memory {held['kind']!r}, choose 'none'.")
    held = dict(kind='none')
  return mixer, _nested(memory, held, _GIVEN_MEMORY)


def _nested(room, chosen: dict, given: tuple[str, ...]) -> dict:
  """A kind's fields, but for those that the model hands down."""
  chosen = dict(chosen)
  kind = chosen.pop('kind')
  for field in given:
    if field in chosen:
      raise InputError(f'{kind} takes {field!r} from the model; it cannot be chosen for it alone.')
  filled = room.fields(kind, **chosen, **dict.fromkeys(given))
  filled = {name: value for name, value in filled.items() if name not in given}
  _check(filled)
  return filled


def _check(filled: dict) -> None:
  """Raises InputError for sizes that are too small and types that do not exist."""
  for name, least in LEAST.items():
    if filled.get(name, least) < least:
      raise InputError(f'{filled["kind"]} has {name}={filled[name]}; it must be at least {least}.')
  for name in ('dtype', 'state_dtype', 'param_dtype'):
    if filled.get(name, DTYPES[0]) not in DTYPES:
      raise InputError(f'{filled["kind"]} has {name}={filled[name]!r}{hint(filled[name], DTYPES)}; it takes {DTYPES}.')
