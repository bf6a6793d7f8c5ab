"""Models: tokens to logits, with one carry for everything that persists. One file is one model."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=('blocks', 'compose'))
kinds, fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.make, _ROOM.find
