"""The running Python's standard library, its sources: real text that every machine has. A module is a document.

Names are modules' (`asyncio.tasks`; a package's `__init__` is the package). Left out: tests (any part of the path
called test, tests or idle_test), installed packages (site-packages, dist-packages), lib2to3 (gone from newer Pythons),
pydoc_data (the language reference in one literal, a fifteenth of all text), _sysconfigdata* (written by the machine's
own build), and files whose path is no module name.

The text differs between Python versions; the fingerprint tells.
"""

import dataclasses
import os
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
    for name, file in sorted(self._modules()):
      try:
        with tokenize.open(file) as f:  # minds the encoding a source declares
          yield interface.Document(name, f.read())
      except (SyntaxError, UnicodeDecodeError, OSError) as e:
        raise InputError(f'{file} cannot be read as Python source: {e}.') from e

  def _modules(self):
    """Names and files."""
    for folder, folders, files in os.walk(self.folder()):
      folders[:] = [f for f in folders if f.isidentifier() and f not in LEFT_OUT]
      package = pathlib.Path(folder).relative_to(self.folder()).parts
      for stem, suffix in map(os.path.splitext, files):
        if suffix == '.py' and stem.isidentifier() and stem not in LEFT_OUT and not stem.startswith('_sysconfigdata'):
          parts = package if package and stem == '__init__' else (*package, stem)
          yield '.'.join(parts), pathlib.Path(folder, stem + suffix)
