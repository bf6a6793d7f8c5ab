"""Profiles in a folder, one person a folder, one file a version.

  <folder>/<name>/000007.safetensors        whole files of `bank.format`: nothing is half-written, nothing is code

The last versions are kept, so that what was written can be taken back. Erasing overwrites and removes every file of a
person, older versions and what a process that was killed left unfinished. What a disk, a file system or a backup keeps
beside the file is out of a program's reach.
"""

import contextlib
import dataclasses
import os
import pathlib
import re

from latentmem.bank import format as files
from latentmem.base import records
from latentmem.base.errors import hint, InputError
from latentmem.personal import profile as profiles
from latentmem.personal.profile import Fits, Profile

NAME = re.compile(r'\w[\w @+.-]{0,59}')


def check_name(name: str) -> str:
  """The name. Raises InputError for one that could name another place: slashes, leading dots, control characters."""
  if not NAME.fullmatch(name) or name != name.strip():
    raise InputError(f'{name!r} is no name of a person: it takes up to 60 letters, digits and " @+.-_", a letter or '
                     'digit first.')
  return name


class Store:
  """The profiles in one folder."""

  def __init__(self, folder: os.PathLike | str, fits: Fits | None = None, keep: int = 3):
    """Keeps the last `keep` versions of each person. Without `fits` it can name and erase, and read nothing."""
    self.folder, self.fits, self.keep = pathlib.Path(folder), fits, keep

  def names(self) -> list[str]:
    """People of whom something is kept."""
    if not self.folder.is_dir():
      return []
    return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and NAME.fullmatch(path.name) and
                  self.versions(path.name))

  def versions(self, name: str) -> list[int]:
    """Versions that are kept of a person, the latest last; none where nobody is known by that name."""
    found = (re.fullmatch(r'(\d{6,})\.safetensors', path.name) for path in self._files(name))
    return sorted(int(match[1]) for match in found if match)

  def read(self, name: str, version: int | None = None) -> Profile:
    """A person's profile, the latest unless a version is named. Raises InputError where there is none."""
    known = self.versions(name)
    if not known:
      raise InputError(f'{self.folder} has nobody by the name {name!r}{hint(name, self.names())}.')
    version = known[-1] if version is None else version
    if version not in known:
      raise InputError(f'{name} has no version {version}; it has {known}.')
    path = self._path(name, version)
    found = profiles.unpacked(path, *files.read(path), self.fits)
    if (found.name, found.version) != (name, version):
      raise InputError(f'{path} does not tell the truth: it calls itself version {found.version} of {found.name!r}.')
    return found

  def write(self, profile: Profile) -> Profile:
    """Keeps a profile as the next version, and the last ones before it -> the profile as it is kept.

    Raises InputError where the person's latest version is not the one that this was made of (0: there was none): what
    was written meanwhile is not lost, and who was erased does not come back.
    """
    name = check_name(profile.name)
    for item in profile.items:
      profiles.check_item(item, self.fits)
    with self._held(name):
      known = self.versions(name)
      latest = known[-1] if known else 0
      if latest != profile.version:
        now = f'is at version {latest}' if latest else 'was erased'
        raise InputError(f'{name} {now} meanwhile, and this was made of version {profile.version or "none"}. Nothing '
                         'was written; read it again, and write again.')
      kept = dataclasses.replace(profile, version=latest + 1)
      files.write(self._path(name, kept.version), *profiles.packed(kept, self.fits))
      for version in [*known, kept.version][:-self.keep]:
        _wipe(self._path(name, version))
    return kept

  def erase(self, name: str) -> int:
    """Removes all there is of a person -> files removed. Raises InputError where there is nobody by that name."""
    folder = self.folder / check_name(name)
    if not folder.is_dir():
      raise InputError(f'{self.folder} has nobody by the name {name!r}{hint(name, self.names())}; nothing was erased.')
    links = [path for path in (folder, *self._files(name)) if path.is_symlink()]
    strange = [str(path) for path in links + [path for path in self._files(name) if path.is_dir()]]
    if strange:
      raise InputError(f'{strange} are links or folders that no profile has; nothing was erased. Look at what they '
                       'are, and remove them by hand.')
    with self._held(name):
      found = [path for path in self._files(name) if path.name != '.lock']
      for path in found:
        _wipe(path)
    _wipe(self.folder / name / '.lock')
    (self.folder / name).rmdir()
    records.sync_folder(self.folder)
    return len(found)

  def export(self, name: str, path: os.PathLike | str, version: int | None = None) -> Profile:
    """Writes a person's profile to a new file of its own."""
    found = self.read(name, version)
    if pathlib.Path(path).exists():
      raise InputError(f'{path} is there already; choose another file.')
    files.write(path, *profiles.packed(found, self.fits))
    return found

  def take(self, path: os.PathLike | str, name: str = '') -> Profile:
    """Keeps an exported profile, under another name where one is given.

    Raises InputError where it belongs to another base, is damaged, or where there is somebody by that name.
    """
    found = profiles.unpacked(path, *files.read(path), self.fits)
    name = check_name(name or found.name)
    if self.versions(name):
      raise InputError(f'{self.folder} knows {name!r} already; erase that one first, or choose another name.')
    return self.write(dataclasses.replace(found, name=name, version=0))

  def _path(self, name: str, version: int) -> pathlib.Path:
    return self.folder / check_name(name) / f'{version:06d}.safetensors'

  def _files(self, name: str) -> list[pathlib.Path]:
    folder = self.folder / check_name(name)
    return sorted(folder.iterdir()) if folder.is_dir() else []

  @contextlib.contextmanager
  def _held(self, name):
    folder = self.folder / name
    try:
      folder.mkdir(parents=True, exist_ok=True)
      with records.held(folder):
        yield
    except OSError as error:
      raise InputError(f'{folder} cannot be written: {error.strerror}.') from error


def _wipe(path: pathlib.Path) -> None:
  """Overwrites a file with zeros, to the disk, and removes it."""
  with open(path, 'r+b', buffering=0) as file:
    left = os.fstat(file.fileno()).st_size
    while left:
      left -= file.write(bytes(min(left, 1 << 20)))
    os.fsync(file.fileno())
  path.unlink()
  records.sync_folder(path.parent)
