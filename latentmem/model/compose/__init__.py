"""How memory and attention join. One file is one way."""

from latentmem.base import naming

_ROOM = naming.Room(__name__)
kinds, fields, known_fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.known_fields, _ROOM.make, _ROOM.find
