"""The sources of the running Python's standard library: real text that every machine has. One module, one document.

Names are modules' (`asyncio.tasks`; a package's `__init__` is the package). Left out: tests (any part of the path called
test, tests or idle_test), installed packages (site-packages, dist-packages), lib2to3 (gone from newer Pythons, mostly
grammar tables), pydoc_data (the language reference in one literal, a fifteenth of all text), _sysconfigdata* (written by the
machine's own build), and files whose path is no module name.

The text differs between Python versions; the fingerprint tells.
"""

import dataclasses
import pathlib
import sysconfig
import tokenize

from latentmem.base.errors import InputError
from latentmem.data.corpora import interface

LEFT_OUT = {'test', 'tests', 'idle_test', 'site-packages', 'dist-packages', '__pycache__', 'lib2to3', 'pydoc_data'}


@dataclasses.dataclass(frozen=True)
class Stdlib(interface.Base):
  """The standard library's sources.

  Attributes:
    heldout: Share of modules held out, by a hash of the module's name.
    path: The library's folder; '' is the running Python's.
  """

  path: str = ''

  def folder(self) -> pathlib.Path:
    return pathlib.Path(self.path or sysconfig.get_path('stdlib'))

  def where(self):
    return f'The standard library in {self.folder()}'

  def documents(self):
    found = {}
    for file in self.folder().rglob('*.py'):
      parts = list(file.relative_to(self.folder()).with_suffix('').parts)
      if LEFT_OUT.intersection(parts) or parts[-1].startswith('_sysconfigdata'):
        continue
      parts = parts[:-1] if len(parts) > 1 and parts[-1] == '__init__' else parts
      if all(p.isidentifier() for p in parts):
        found['.'.join(parts)] = file
    for name, file in sorted(found.items()):
      try:
        with tokenize.open(file) as f:  # minds the encoding a source declares
          yield interface.Document(name, f.read())
      except (SyntaxError, UnicodeDecodeError, OSError) as e:
        raise InputError(f'{file} cannot be read as Python source: {e}.') from e
