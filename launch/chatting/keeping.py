"""Where a conversation is kept between its turns: a file, an object of a bank, or nowhere.

A turn is kept whole or not at all; what was kept before it stays until then.
"""

import datetime
import pathlib

from latentmem.bank import header, store
from latentmem.base.errors import InputError
from latentmem.session.session import Session


class Nowhere:
  """It is gone with the process."""

  def __str__(self):
    return 'nowhere'

  def resume(self, live: Session) -> bool:
    """Takes up what was kept -> whether there was anything. Raises InputError where it is not this model's."""
    return False

  def keep(self, live: Session) -> None:
    """Keeps a session as it stands."""

  def fork(self, live: Session, name: str) -> str:
    """Keeps a copy under another name -> where. Raises InputError where that name is taken."""
    raise InputError('Nothing is kept, so nothing can be forked; start with --state=FILE, or --bank and --name.')


class File(Nowhere):
  """A state file; another process that writes it is noticed."""

  def __init__(self, path: str):
    self.path = pathlib.Path(path)
    self._seen = self._look()

  def __str__(self):
    return str(self.path)

  def resume(self, live):
    self._seen = self._look()
    if self._seen:
      live.load(self.path)
    return bool(self._seen)

  def keep(self, live):
    if self._look() != self._seen:
      raise InputError(f'Another process has written {self.path} meanwhile, which stays as it is; /fork NAME keeps '
                       'this talk in a file beside it.')
    live.save(self.path)
    self._seen = self._look()

  def fork(self, live, name):
    if pathlib.Path(name).name != name:
      raise InputError(f'{name!r} names no file beside {self.path}.')
    copy = File(str(self.path.with_name(name)))
    if copy._seen:
      raise InputError(f'{copy} is there already; choose another name.')
    copy.keep(live)
    return str(copy)

  def _look(self) -> tuple | None:
    """What tells a file from what may have taken its place; None where there is none."""
    text = str(self.path)
    try:
      if not text.isprintable() or not self.path.absolute().parent.is_dir():
        raise InputError(f'{text!r} is in a folder that does not exist, or can be no file\'s name.')
      found = self.path.stat()
    except FileNotFoundError:
      return None
    except OSError as error:
      raise InputError(f'{header.shown(text)} can keep no talk: {error.strerror}.') from error
    return found.st_ino, found.st_mtime_ns, found.st_size


class Object(Nowhere):
  """An object of a bank, a version for each turn; another process that talks under the same name is noticed."""

  def __init__(self, path: str, name: str):
    self.bank, self.name, self.version = store.Bank(path), header.check_name(name), 0

  def __str__(self):
    return f'{self.name}@{self.version} of {self.bank.path}'

  def resume(self, live):
    there = self.name in self.bank.list()
    if there:
      self.version = live.get(self.bank, self.name).version
    return there

  def keep(self, live):
    try:
      self.version = live.put(self.bank, self.name, onto=self.version, when=_now())
    except store.Conflict as error:
      raise InputError(f'Another process has put {self.name} of {self.bank.path} since version {self.version}; '
                       '/fork NAME keeps this talk under another name.') from error

  def fork(self, live, name):
    parents = [f'{self.name}@{self.version}'] if self.version else []
    return f'{name}@{live.put(self.bank, name, onto=0, parents=parents, when=_now())} of {self.bank.path}'


def of(path: str | None, bank: str | None, name: str | None) -> Nowhere:
  """What the flags --state, --bank and --name say. Raises InputError where they do not fit together."""
  if bool(bank) != bool(name):
    raise InputError('--bank and --name belong together: a bank, and the object in it that keeps the talk.')
  if path and bank:
    raise InputError('--state and --bank both keep the talk; give one of them.')
  return File(path) if path else Object(bank, name) if bank else Nowhere()


def _now():
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
