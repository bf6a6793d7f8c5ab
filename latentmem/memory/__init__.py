"""Sequence memories. One file is one memory; `make('titans', width=64)` builds it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=('parts',))
kinds, fields, known_fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.known_fields, _ROOM.make, _ROOM.find
