"""Where objects lie: any place that fsspec knows (s3://, gs://, memory://, ...), a store's object for each version.

Such places have neither locks nor links. What is kept all the same:
- A version is created exclusively, in one piece: S3, Google Cloud Storage, Azure and memory give no number twice,
  whoever asks at once; elsewhere (sftp, hdfs, ...) only one process at a time may put.
- What is listed is whole: those four show an object when all of it is there; elsewhere its header is compared with its
  size. A writer that is killed leaves nothing, or elsewhere a part that is never listed.
- Forgetting removes versions one after another, the newest first; give it again where it was cut short. A bucket that
  keeps old generations of its objects keeps forgotten ones too, until its own rules remove them.
A state is joined in memory before it is sent.
"""

from collections.abc import Iterator
import contextlib
import itertools
import os

from latentmem.bank import format as bank_format
from latentmem.bank import header as bank_header
from latentmem.bank.folder import FILE, Folder, Taken
from latentmem.base import safetensors
from latentmem.base.errors import InputError

LOCAL = ('file', 'local')
# Whose objects are there when all of them is.
AT_ONCE = {'memory', 's3', 's3a', 'gs', 'gcs', 'abfs', 'abfss', 'az'}


def at(path: os.PathLike | str):
  """A folder, or objects, by what the path is. Raises InputError for a place that fsspec does not know."""
  text = os.fspath(path)
  if '://' not in text and '::' not in text:
    return Folder(path)
  try:
    import fsspec
    filesystem, root = fsspec.url_to_fs(text, use_listings_cache=False)
  except ImportError as error:
    raise InputError(f'{text} needs another package: {error}.') from error
  except ValueError as error:
    raise InputError(f'{text} is no place that fsspec knows: {error}.') from error
  protocols = {filesystem.protocol} if isinstance(filesystem.protocol, str) else set(filesystem.protocol)
  return Folder(root) if protocols & set(LOCAL) else Objects(text, filesystem, root, bool(protocols & AT_ONCE))


class Objects:
  """Objects in a store. Methods as those of `Folder`."""

  def __init__(self, path: str, filesystem, root: str, at_once: bool):
    self.path, self._files, self._root, self._at_once = path, filesystem, root.rstrip('/'), at_once

  def names(self) -> list[str]:
    found = {parts[0] for parts, _ in self._found(self._root) if len(parts) == 2 and FILE.fullmatch(parts[1])}
    fits = lambda name: bank_header.NAME.fullmatch(name) and len(name) <= bank_header.LONGEST_NAME
    return sorted(name for name in found if fits(name) and (self._at_once or self.numbers(name)))

  def numbers(self, name: str) -> list[int]:
    return [number for number, size in self._begun(name) if self._at_once or self._whole(name, number, size)]

  def file(self, name: str, number: int) -> str:
    """What errors call it."""
    return f'{self.path.rstrip("/")}/{name}/{number:08d}.safetensors'

  def head(self, name: str, number: int) -> safetensors.Header:
    with self._told():
      return self._head(name, number, self._files.size(self._at(name, number)))

  def read(self, name: str, number: int):
    with self._told():
      content = self._files.cat_file(self._at(name, number))
    return bank_format.unpacked(self.file(name, number), content)

  def add(self, name: str, arrays: bank_format.Arrays, notes: bank_format.Notes, number: int | None = None) -> int:
    content = bank_format.packed(arrays, notes)
    first = max((begun for begun, _ in self._begun(name)), default=0) + 1
    for chosen in itertools.count(first) if number is None else [number]:
      bank_header.check_version(name, chosen)
      with self._told(), contextlib.suppress(FileExistsError):
        self._files.pipe_file(self._at(name, chosen), content, mode='create')
        return chosen
    raise Taken

  def drop(self, name: str) -> None:
    with self._told():
      for path in sorted(self._files.find(f'{self._root}/{name}'), reverse=True):
        self._files.rm_file(path)
      # Stores have no folders, or drop empty ones; where there are some, they go too.
      with contextlib.suppress(Exception):
        self._files.rmdir(f'{self._root}/{name}')

  def _at(self, name: str, number: int) -> str:
    return f'{self._root}/{name}/{number:08d}.safetensors'

  def _found(self, under: str) -> list[tuple[list[str], int]]:
    """(path below, bytes) of everything that lies there."""
    with self._told():
      self._files.invalidate_cache()
      # What a store gives back may begin with a slash where what it was asked did not.
      return [(path.strip('/').removeprefix(under.strip('/')).strip('/').split('/'), entry['size'])
              for path, entry in self._files.find(under, detail=True).items()]

  def _begun(self, name: str) -> list[tuple[int, int]]:
    """(version, bytes) of each, whole or not."""
    return sorted((int(FILE.fullmatch(parts[0])[1]), size) for parts, size in self._found(f'{self._root}/{name}')
                  if len(parts) == 1 and FILE.fullmatch(parts[0]))

  def _whole(self, name: str, number: int, size: int) -> bool:
    try:
      with self._told():
        self._head(name, number, size)
    except InputError:
      return False
    return True

  def _head(self, name: str, number: int, size: int) -> safetensors.Header:
    path, called = self._at(name, number), self.file(name, number)
    head = self._files.cat_file(path, start=0, end=8)
    head += self._files.cat_file(path, start=8, end=8 + safetensors.announced(called, head, size, bank_format.WHAT))
    return safetensors.checked(called, head, size, bank_format.WHAT)

  @contextlib.contextmanager
  def _told(self) -> Iterator[None]:
    """Errors of a store, of whatever types its package has, in words."""
    try:
      yield
    except (InputError, FileExistsError):
      raise
    except TypeError as error:
      if 'mode' not in str(error):
        raise
      raise InputError(f'The package behind {self.path} is too old to create objects exclusively; a newer one '
                       'does.') from error
    except Exception as error:
      raise InputError(f'{self.path} cannot be read or written: {type(error).__name__}: {error}.') from error
