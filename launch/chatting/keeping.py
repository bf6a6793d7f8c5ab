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
  """A state file."""

  def __init__(self, path: str):
    self.path = pathlib.Path(path)
    if not self.path.absolute().parent.is_dir():
      raise InputError(f'--state={path} is in a folder that does not exist.')

  def __str__(self):
    return str(self.path)

  def resume(self, live):
    there = self.path.exists()
    if there:
      live.load(self.path)
    return there

  def keep(self, live):
    live.save(self.path)

  def fork(self, live, name):
    if pathlib.Path(name).name != name:
      raise InputError(f'{name!r} names no file beside {self.path}.')
    path = self.path.with_name(name)
    if path.exists():
      raise InputError(f'{path} is there already; choose another name.')
    live.save(path)
    return str(path)


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
    self.version = live.put(self.bank, self.name, onto=self.version, when=_now())

  def fork(self, live, name):
    return f'{name}@{live.put(self.bank, name, onto=0, when=_now())} of {self.bank.path}'


def of(path: str | None, bank: str | None, name: str | None) -> Nowhere:
  """What the flags --state, --bank and --name say. Raises InputError where they do not fit together."""
  if bool(bank) != bool(name):
    raise InputError('--bank and --name belong together: a bank, and the object in it that keeps the talk.')
  if path and bank:
    raise InputError('--state and --bank both keep the talk; give one of them.')
  return File(path) if path else Object(bank, name) if bank else Nowhere()


def _now():
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
