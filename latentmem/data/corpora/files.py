"""Files as a corpus: a text file is a document, a line of a JSON-lines file is a document.

Names are paths below the folder (`part/one.txt`) with the line's number behind (`talk.jsonl:17`), so a folder may move.
A corpus that is one text file is split inside it: its end is held out, from a line's start on.
"""

import dataclasses
import glob
import itertools
import json
import pathlib
from typing import ClassVar

from latentmem.base.errors import hint, InputError
from latentmem.data.corpora import interface

LINES = ('.jsonl', '.ndjson')


@dataclasses.dataclass(frozen=True)
class Files(interface.Base):
  """Text files and JSON-lines files.

  Attributes:
    heldout: Share held out, by a hash of the name; of one single text file, the share at its end.
    path: A file, a folder (searched with all below it), or a pattern such as 'books/**/*.txt'.
    heldout_path: Where held-out documents are instead, spelled like `path`; '' holds out a share. A file that both
      name is held out.
    pattern: What counts as text in a folder, patterns with blanks between.
    field: The field of a JSON line that holds the text.
    encoding: Of all files.
  """

  path: str = ''
  heldout_path: str = ''
  pattern: str = '*.txt *.md *.jsonl'
  field: str = 'text'
  encoding: str = 'utf-8'

  short: ClassVar[str] = 'path'

  def __post_init__(self):
    super().__post_init__()
    if not self.path:
      raise InputError('files needs a path: a file, a folder, or a pattern.')

  def where(self):
    return f'The corpus {self.path!r}' + (f' (held out: {self.heldout_path!r})' if self.heldout_path else '')

  def documents(self):
    if self.heldout_path:
      held = {file.resolve() for file in self._files(self.heldout_path)[1]}
      for d in self._found(self.path, leave_out=held):
        yield d._replace(name=f'train/{d.name}', held=False)
      for d in self._found(self.heldout_path):
        yield d._replace(name=f'heldout/{d.name}', held=True)
      return
    found = list(self._found(self.path))
    if len(found) == 1 and self.heldout and not found[0].name.rpartition(':')[0].endswith(LINES):
      name, text, _ = found[0]
      cut = text.rfind('\n', 0, int(len(text) * (1 - self.heldout)) + 1) + 1
      yield interface.Document(f'{name}:start', text[:cut], False)
      yield interface.Document(f'{name}:end', text[cut:], True)
    else:
      yield from found

  def _found(self, path: str, leave_out=frozenset()):
    root, files = self._files(path)
    for file in files:
      if file.resolve() in leave_out:
        continue
      name = file.relative_to(root).as_posix()
      if file.suffix in LINES:
        yield from self._lines(file, name)
      else:
        yield interface.Document(name, self._text(file))

  def _files(self, path: str) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """The folder that names are relative to, and the files."""
    place = pathlib.Path(path)
    if place.is_file():
      return place.parent, [place]
    if place.is_dir():
      files = sorted({f for p in self.pattern.split() for f in place.rglob(p) if f.is_file()})
      if not files:
        others = sorted({f.suffix or f.name for f in place.rglob('*') if f.is_file()})[:8]
        raise InputError(f'The folder {path!r} has no file that fits {self.pattern!r}; it has '
                         f'{others or "no files at all"}. Another pattern would do.')
      return place, files
    files = sorted(f for f in map(pathlib.Path, glob.glob(path, recursive=True)) if f.is_file())
    if not files:
      near = hint(place.name, [f.name for f in place.parent.iterdir()]) if place.parent.is_dir() else ''
      raise InputError(f'There is no file, no folder and nothing that fits the pattern {path!r}{near}.')
    return pathlib.Path(*itertools.takewhile(lambda part: not glob.has_magic(part), place.parts)), files

  def _text(self, file: pathlib.Path) -> str:
    try:
      return file.read_text(self.encoding)
    except LookupError as e:
      raise InputError(f'There is no encoding {self.encoding!r}.') from e
    except UnicodeDecodeError as e:
      raise InputError(f'{file} is no {self.encoding} text: byte {e.object[e.start]:#04x} at {e.start} ({e.reason}). '
                       "Another encoding would do, such as encoding='latin-1'.") from e
    except OSError as e:
      raise InputError(f'{file} cannot be read: {e.strerror}.') from e

  def _lines(self, file: pathlib.Path, name: str):
    for number, line in enumerate(self._text(file).split('\n'), 1):
      if not line.strip():
        continue
      try:
        record = json.loads(line)
      except json.JSONDecodeError as e:
        raise InputError(f'{file}, line {number} is not JSON: {e.msg} at column {e.colno}.') from e
      if not isinstance(record, dict) or not isinstance(record.get(self.field), str):
        has = f'{list(record)}{hint(self.field, record)}' if isinstance(record, dict) else f'a {type(record).__name__}'
        raise InputError(f'{file}, line {number} has no text in a field {self.field!r}; it has {has}.')
      # JSON can spell halves of characters, which are no text; they become question marks.
      yield interface.Document(f'{name}:{number}', record[self.field].encode('utf-8', 'replace').decode())
