"""Tasks: draw examples, score answers; numpy only. One file is one task; `make('recall', pairs=16)` builds it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=('answers', 'chains', 'is_a_graphs'))
kinds, fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.make, _ROOM.find
