"""How memory and attention join. One file is one way."""

from latentmem.base import naming

_ROOM = naming.Room(__name__)
kinds, fields, known_fields = _ROOM.kinds, _ROOM.fields, _ROOM.known_fields
make, build, find = _ROOM.make, _ROOM.build, _ROOM.find
