"""Sequence memories. One file is one memory; `make('titans', width=64)` builds it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=('parts',))
kinds, fields, known_fields = _ROOM.kinds, _ROOM.fields, _ROOM.known_fields
make, build, find = _ROOM.make, _ROOM.build, _ROOM.find
