"""Tasks: draw examples, score answers; numpy only. One file is one task; `make('recall', pairs=16)` builds it."""

from latentmem.base import naming

_ROOM = naming.Room(__name__, shared=(
    'answers', 'asks_persons', 'bm25', 'chains', 'choices', 'files', 'is_a_graphs', 'locomo', 'person_facts',
    'persona_questions', 'persona_words', 'personamem', 'persons'))
kinds, fields, make, find = _ROOM.kinds, _ROOM.fields, _ROOM.make, _ROOM.find
