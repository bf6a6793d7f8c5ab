"""From corpora and tasks to batches. `make(dict(kind='corpus', corpus='stdlib', tokens='bytes'))` builds a source.

A batch is a dict of numpy arrays [rows, length]: tokens_BT, targets_BT, weights_BT (0: not scored), reset_BT (a
document begins here), position_BT (index within the document), and bytes_BT (what the target stands for) where tokens
are not bytes. Rows are continuous: row b of a batch goes on where row b of the batch before it ended.
"""

from latentmem.base import naming
from latentmem.base.errors import InputError

_ROOM = naming.Room(__name__, interface='source', shared=('corpora', 'pipeline', 'spoken', 'stream', 'tokens'))
kinds, find = _ROOM.kinds, _ROOM.find


def fields(source: dict) -> dict:
  """A source's dict with every field of every part filled in: what a config records.

  Args:
    source: kind ('corpus' or 'task') and fields of it; a part (`corpus`, `tokens`, `task`) is a dict with its own kind,
      or a short form: 'stdlib', 'files:/a/folder', 'tfds:wiki40b/en', 'recall'.

  Raises:
    InputError: for a kind or field that does not exist, naming the nearest.
  """
  if 'kind' not in source:
    raise InputError(f'A source needs its kind, one of {kinds()}; it has {list(source)}.')
  filled = _ROOM.fields(**source)
  for part, room in find(source['kind']).rooms().items():
    filled[part] = room.fields(**_spelled(room, part, filled[part]))
  return filled


def make(source: dict):
  """Builds a source (see `fields` for what it takes). Reads nothing until asked. Raises InputError."""
  return _ROOM.build(fields(source))


def _spelled(room, part, chosen) -> dict:
  """'tfds:name' or dict(kind='tfds:name') as dict(kind='tfds', name='name')."""
  chosen = dict(kind=chosen) if isinstance(chosen, str) else dict(chosen)
  if 'kind' not in chosen:
    raise InputError(f'{part} needs its kind, one of {room.kinds()}; it has {list(chosen)}.')
  kind, colon, argument = chosen['kind'].partition(':')
  if not colon:
    return chosen
  first = getattr(room.find(kind), 'short', None)
  if first is None:
    raise InputError(f'{kind!r} takes nothing after a colon; it was given {chosen["kind"]!r}.')
  return chosen | {'kind': kind, first: argument}
