"""Tokens: text to ids and back. One file is one way; `make('bytes')` builds it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=('chat',))
kinds, fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.make, _ROOM.find
