"""Personal memory: what a frozen model knows of each person. One file is one kind of adapter."""

from latentmem import model as models
from latentmem.base import naming
from latentmem.base.errors import InputError

_ROOM = naming.Room(__name__, shared=('counts', 'identity', 'look', 'model', 'profile', 'questions', 'store', 'writer'))
kinds, find = _ROOM.kinds, _ROOM.find

# What an adapter gets from the base, so that no config records it twice.
GIVEN = ('width', 'vocab', 'layers', 'projections', 'people')
LEAST = dict(heads=1, slots=1, slot_width=1, key_width=1, rank=1, tokens=1, directions=0)


def fields(kind: str, **chosen) -> dict:
  """All fields of an adapter, at their defaults unless chosen: what a config records.

  Raises InputError for an unknown kind or field, naming the nearest, and for a size that is too small.
  """
  for name in GIVEN:
    if name in chosen:
      raise InputError(f'{kind} takes {name!r} from the base and the data; it cannot be chosen for it alone.')
  filled = _ROOM.fields(kind, **chosen, **dict.fromkeys(GIVEN))
  filled = {name: value for name, value in filled.items() if name not in GIVEN}
  for name, least in LEAST.items():
    if filled.get(name, least) < least:
      raise InputError(f'{kind} has {name}={filled[name]}; it must be at least {least}.')
  return filled


def make(adapter: dict, base: dict, people: int):
  """Builds an adapter of so many people for a base with these fields. It belongs to no other module."""
  net = models.find(base['kind'])(**{name: value for name, value in base.items() if name != 'kind'}, parent=None)
  given = dict(width=net.width, vocab=net.vocab, layers=net.layers, people=people,
               projections=getattr(net, 'projections', {}))
  return _ROOM.build(fields(**adapter), **given)
