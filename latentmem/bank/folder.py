"""Where objects lie: a folder on this machine, a folder for each object, a file for each version.

  bank/alice/00000001.safetensors    bank/alice/00000002.safetensors    bank/bob/00000001.safetensors

A version is written beside its place, brought to the disk, and then linked to the first number that is free, which
happens at once or not at all and gives no number twice. So nobody waits for anybody, and a writer that is killed leaves
a file that is no version; the next one, finding it held by nobody, removes it. Forgetting renames the object's folder
away, then removes what was in it; what a killed one left, the next bank that is opened removes.
"""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import itertools
import os
import pathlib
import re
import shutil
from typing import BinaryIO
import uuid

from latentmem.bank import format as bank_format
from latentmem.bank import header as bank_header
from latentmem.base import records, safetensors
from latentmem.base.errors import InputError

FILE = re.compile(r'([0-9]{8})\.safetensors')
WRITTEN, FORGOTTEN = '.written-', '.forgotten-'
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
TRIES = 100


class Taken(Exception):
  """Somebody else has put the version that was asked for."""


class Folder:
  """Objects in a folder, which is made with the first of them."""

  def __init__(self, path: os.PathLike | str):
    self.path = pathlib.Path(path)
    if not os.fspath(path) or '\0' in os.fspath(path):
      raise InputError(f'{bank_header.shown(os.fspath(path))} cannot name a folder; a bank is one.')
    with _told(self.path):
      if self.path.exists() and not self.path.is_dir():
        raise InputError(f'{path} is a file; a bank is a folder.')
    for left in self.path.glob(f'{FORGOTTEN}*'):
      with contextlib.suppress(OSError):
        _emptied(left)

  def names(self) -> list[str]:
    """Of all objects."""
    if not self.path.is_dir():
      return []
    fits = lambda name: bank_header.NAME.fullmatch(name) and len(name) <= bank_header.LONGEST_NAME
    with _told(self.path):
      return sorted(entry.name for entry in os.scandir(self.path)
                    if fits(entry.name) and entry.is_dir() and self.numbers(entry.name))

  def numbers(self, name: str) -> list[int]:
    """The versions of an object, all of them whole; [] where there is no such object."""
    with _told(self.path):
      try:
        with os.scandir(self.path / name) as entries:
          # Where no links are to be had, a file without content holds a number's place: it is no version yet.
          return sorted(int(match[1]) for entry in entries
                        if (match := FILE.fullmatch(entry.name)) and _size(entry))
      except (FileNotFoundError, NotADirectoryError):
        return []

  def file(self, name: str, number: int) -> pathlib.Path:
    return self.path / name / f'{number:08d}.safetensors'

  def head(self, name: str, number: int) -> safetensors.Header:
    """The file's header, read without the data. Raises InputError where there is none, or where it is cut short."""
    return safetensors.open_header(self.file(name, number), bank_format.WHAT)

  def read(self, name: str, number: int):
    """(arrays, notes). Raises InputError where there is none, or where it is damaged."""
    return bank_format.read(self.file(name, number))

  def add(self, name: str, arrays: bank_format.Arrays, notes: bank_format.Notes, number: int | None = None) -> int:
    """Writes a version, whole or not at all -> its number: `number`, or the first that is free.

    Raises InputError where the disk is full, the folder cannot be written, or the object is forgotten meanwhile; Taken
    where `number` is.
    """
    folder = self.path / name
    size = sum(array.nbytes for array in arrays.values())
    with _told(folder, f', which takes {size:,} bytes'):
      self._sweep_written(name)
      with self._beside(folder) as (file, path):
        bank_format.pour(file, arrays, notes)
        os.fsync(file.fileno())
        try:
          number = self._settle(path, name, number)
        except FileNotFoundError:
          raise InputError(f'{name} was forgotten while a version of it was written; nothing of it is left. Put it '
                           'again, if it is to stay.') from None
        records.sync_folder(folder)
    return number

  def drop(self, name: str) -> None:
    """Removes an object with all its versions, at once for those who read. Raises InputError where that cannot be."""
    place, aside = self.path / name, self.path / f'{FORGOTTEN}{uuid.uuid4().hex}'
    with _told(self.path):
      if place.is_symlink():
        raise InputError(f'{place} is a link to {os.readlink(place)}, and what lies there would stay. Remove that, and '
                         'the link, by hand.')
      with contextlib.suppress(FileNotFoundError):
        os.rename(place, aside)
      records.sync_folder(self.path)
      _emptied(aside)

  @contextlib.contextmanager
  def _beside(self, folder: pathlib.Path) -> Iterator[tuple[BinaryIO, pathlib.Path]]:
    """A new file in the folder, held by this process, and gone afterwards."""
    for _ in range(TRIES):
      path = folder / f'{WRITTEN}{uuid.uuid4().hex}'
      # A forget, a failed put or a sweep of another process may come between any two of these.
      with contextlib.suppress(FileNotFoundError, BlockingIOError):
        if not folder.is_dir():
          folder.mkdir(parents=True, exist_ok=True)
          records.sync_folder(folder.parent)
        file = open(path, 'xb')
        try:
          _hold(file)
          path.stat()
        except OSError:
          file.close()
          path.unlink(missing_ok=True)
          raise
        break
    else:
      raise InputError(f'No file can be made in {folder}: there can be no such folder, or somebody keeps forgetting '
                       'the object.')
    try:
      with file:
        yield file, path
    finally:
      path.unlink(missing_ok=True)
      with contextlib.suppress(OSError):
        folder.rmdir()  # Where nothing was put, nothing is left; a folder that holds anything stays.

  def _settle(self, path: pathlib.Path, name: str, number: int | None) -> int:
    """Makes a file that is written a version -> its number. Raises Taken; FileNotFoundError where it is gone."""
    first = (self.numbers(name) or [0])[-1] + 1
    for chosen in itertools.count(first) if number is None else [number]:
      bank_header.check_version(name, chosen)
      try:
        os.link(path, self.file(name, chosen))
        return chosen
      except FileExistsError:
        # Without links, a writer that was killed may have left a number's place empty.
        if not self.file(name, chosen).stat().st_size and _moved(path, self.file(name, chosen)):
          return chosen
      except OSError as error:
        if error.errno not in NO_LINKS:
          raise
        if _moved(path, self.file(name, chosen)):
          return chosen
    raise Taken

  def _sweep_written(self, name: str) -> None:
    """Removes what killed writers left: files that are no versions and that nobody holds."""
    for path in (self.path / name).glob(f'{WRITTEN}*'):
      with contextlib.suppress(OSError):
        with open(path, 'rb+') as file:
          _hold(file)
          path.unlink()


def _emptied(folder: pathlib.Path) -> None:
  """Removes what a forgotten object left, the files of writers among them. Raises OSError where that cannot be."""
  for left in range(TRIES, 0, -1):
    try:
      shutil.rmtree(folder)
    except FileNotFoundError:
      pass  # Others sweep, too.
    except OSError:
      # A writer may have made its file while the folder was emptied.
      if left == 1:
        raise
    if not folder.exists():
      break


def _moved(path: pathlib.Path, place: pathlib.Path) -> bool:
  """Renames a file to a place that nobody has, on file systems without links; False where somebody has it.

  The place is held while it is empty, by whoever made it or found it empty.
  """
  with open(place, 'ab') as file:
    try:
      _hold(file)
    except BlockingIOError:
      return False
    if os.fstat(file.fileno()).st_size or not os.path.samestat(os.fstat(file.fileno()), place.stat()):
      return False
    os.replace(path, place)
    return True


def _hold(file) -> None:
  """Holds a file until it is closed or the process ends in whatever way. Raises BlockingIOError where another does."""
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise
  except OSError as error:
    if error.errno not in NO_LOCKS:
      raise


def _size(entry: os.DirEntry) -> int:
  try:
    return entry.stat().st_size if entry.is_file() else 0
  except FileNotFoundError:
    return 0  # Forgotten since the folder was listed.


@contextlib.contextmanager
def _told(path: pathlib.Path, what: str = '') -> Iterator[None]:
  """Errors of the file system in words."""
  try:
    yield
  except OSError as error:
    if records.is_full_disk(error):
      raise InputError(f'There is no space left to write to {path}{what}. Free some space, or take a bank elsewhere. '
                       'The versions that are there are as they were.') from error
    raise InputError(f'{path} cannot be read or written: {error.strerror}. Take a folder that is yours.') from error
