"""Corpora: named documents, some held out. One file is one corpus; `make('files', path='books/')` opens it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__)
kinds, fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.make, _ROOM.find
