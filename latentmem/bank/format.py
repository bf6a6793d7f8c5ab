"""A file of named arrays and notes, which loads whole and unharmed or not at all.

The layout is that of safetensors, which other tools read too. A note holds the checksum

  sha256(header with zeros in the checksum's place, sha256(block 1), sha256(block 2), ...)

over the data's blocks of BLOCK bytes: cores share them, and hashing runs beside the disk.
"""

from collections.abc import Callable
import concurrent.futures
import hashlib
import os
import pathlib
import re
from typing import BinaryIO

import numpy as np

from latentmem.base import records, safetensors
from latentmem.base.errors import InputError

FORMAT, VERSION = 'latentmem state', '2'
WHAT = 'state file'
UNKNOWN = '0' * 64
# Part of the format.
BLOCK = 1 << 22
WORKERS = min(8, os.cpu_count() or 1)

Arrays = dict[str, np.ndarray]
Notes = dict[str, str]


def write(path: os.PathLike | str, arrays: Arrays, notes: Notes) -> None:
  """Writes the file whole or not at all; where that fails, the file that was there stays.

  Raises InputError where the disk is full or the path cannot be written.
  """
  path = pathlib.Path(_checked(path))
  try:
    with records.writing(path) as file:
      pour(file, arrays, notes)
  except InputError as error:
    size = sum(array.nbytes for array in arrays.values())
    raise InputError(f'There is no space left to write {path}, which takes {size:,} bytes. '
                     'Free some space, or name another place. What was there before is as it was.') from error
  except OSError as error:
    raise InputError(f'{path} cannot be written: {error.strerror}. Name a file in a folder that exists.') from error


def pour(file: BinaryIO, arrays: Arrays, notes: Notes) -> str:
  """Writes everything to an empty file of the disk -> checksum. Raises OSError as writing does."""
  head, data = _laid(arrays, notes)

  def block(begin: int, end: int) -> bytes:
    parts = data.cut(begin, end)
    digest = _digest(parts)
    place = len(head) + begin
    for part in parts:
      place = _write_at(file.fileno(), part, place)
    return digest

  checksum = _checksum(head, _over_blocks(data.size, block))
  _write_at(file.fileno(), memoryview(head.replace(_note(UNKNOWN), _note(checksum), 1)), 0)
  return checksum


def packed(arrays: Arrays, notes: Notes) -> bytes:
  """The file's content, for places that take it in one piece."""
  head, data = _laid(arrays, notes)
  checksum = _checksum(head, _over_blocks(data.size, lambda begin, end: _digest(data.cut(begin, end))))
  return b''.join([head.replace(_note(UNKNOWN), _note(checksum), 1), *data.parts])


def read(path: os.PathLike | str) -> tuple[Arrays, Notes]:
  """(arrays, notes) of a file.

  Raises InputError where there is none, where it is cut short, damaged, of another format or version, or where its
  header does not tell the truth about its data.
  """
  try:
    with open(_checked(path), 'rb', buffering=0) as file:
      size = os.fstat(file.fileno()).st_size
      head = file.read(8)
      head += file.read(safetensors.announced(path, head, size, WHAT))
      data = memoryview(np.empty(max(0, size - len(head)), np.uint8))

      def block(begin: int, end: int) -> bytes:
        _read_at(file.fileno(), data[begin:end], len(head) + begin)
        return hashlib.sha256(data[begin:end]).digest()
      return _unpacked(path, head, data, block)
  except OSError as error:
    raise InputError(f'{path} cannot be read: {error.strerror}.') from error


def unpacked(path, content: bytes) -> tuple[Arrays, Notes]:
  """(arrays, notes) of a file's content; `path` is what errors call it. Raises InputError as `read` does."""
  size = len(content)
  head = content[:8 + safetensors.announced(path, content[:8], size, WHAT)]
  data = memoryview(content)[len(head):]
  return _unpacked(path, head, data, lambda begin, end: hashlib.sha256(data[begin:end]).digest())


def check_notes(path, notes) -> None:
  """Raises InputError unless these are the notes of a state file of this format and version."""
  if not isinstance(notes, dict) or notes.get('format') != FORMAT:
    raise InputError(f'{path} is no {WHAT}: its header does not call it {FORMAT!r}.')
  if notes.get('version') != VERSION:
    raise InputError(f'{path} has format version {notes.get("version")!r}; this release reads version {VERSION!r}. '
                     'Read it with the release that wrote it, or make the state anew.')
  noted = notes.get('checksum')
  if not isinstance(noted, str) or not re.fullmatch('[0-9a-f]{64}', noted):
    raise InputError(f'{path} is damaged: it has no checksum.')
  if not all(isinstance(note, str) for note in notes.values()):
    raise InputError(f'{path} is no {WHAT}: its notes are not text.')


def _checked(path: os.PathLike | str) -> os.PathLike | str:
  if '\0' in os.fspath(path):
    raise InputError(f'{os.fspath(path)!r} cannot name a file.')
  return path


def _unpacked(path, head: bytes, data: memoryview, block: Callable[[int, int], bytes]):
  """(arrays, notes) of data that `block` brings, place by place, and hashes."""
  size = len(head) + len(data)
  header, _ = safetensors.told(path, head, size, WHAT)
  notes = header.pop(safetensors.NOTES, None)
  check_notes(path, notes)
  noted = notes['checksum']
  if _checksum(head.replace(_note(noted), _note(UNKNOWN), 1), _over_blocks(len(data), block)) != noted:
    raise InputError(f'{path} is damaged or cut short: its {size:,} bytes do not have the checksum that was '
                     'noted when it was written. Write it again, or take another copy.')
  places = safetensors.places(path, header, len(data))
  return {name: safetensors.array(path, name, place, data[place.begin:place.end])
          for name, place in places.items()}, notes


class _Data:
  """Arrays' bytes side by side, without joining them."""

  def __init__(self, arrays: list[np.ndarray]):
    self.parts = [safetensors.data_of(array) for array in arrays]
    self._ends = np.cumsum([len(part) for part in self.parts], dtype=np.int64)
    self.size = int(self._ends[-1]) if arrays else 0

  def cut(self, begin: int, end: int) -> list[memoryview]:
    """What lies from one byte to another."""
    first, last = np.searchsorted(self._ends, [begin, end - 1], side='right')
    cut = []
    for part, ends in zip(self.parts[first:last + 1], self._ends[first:last + 1]):
      starts = int(ends) - len(part)
      cut.append(part[max(0, begin - starts):end - starts])
    return cut


def _laid(arrays: Arrays, notes: Notes) -> tuple[bytes, _Data]:
  """The header, its checksum still zeros, and the data behind it."""
  head, order = safetensors.encoded({name: (array.dtype, array.shape) for name, array in arrays.items()},
                                    dict(notes, format=FORMAT, version=VERSION, checksum=UNKNOWN))
  return head, _Data([arrays[name] for name in order])


def _over_blocks(size: int, block: Callable[[int, int], bytes]) -> list[bytes]:
  """What `block(begin, end)` returns for each block of the data, in their order; several at once."""
  begins = range(0, size, BLOCK)
  call = lambda begin: block(begin, min(begin + BLOCK, size))
  if len(begins) < 2 or WORKERS < 2:
    return list(map(call, begins))
  with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
    return list(workers.map(call, begins))


def _digest(parts: list[memoryview]) -> bytes:
  digest = hashlib.sha256()
  for part in parts:
    digest.update(part)
  return digest.digest()


def _checksum(head: bytes, digests: list[bytes]) -> str:
  return hashlib.sha256(b''.join([head, *digests])).hexdigest()


def _note(checksum: str) -> bytes:
  return f'"checksum": "{checksum}"'.encode()


def _write_at(handle: int, data: memoryview, place: int) -> int:
  """Writes all of `data` -> the place behind it."""
  while len(data):
    count = os.pwrite(handle, data, place)
    data, place = data[count:], place + count
  return place


def _read_at(handle: int, data: memoryview, place: int) -> None:
  """Fills `data`, or leaves its end as it is where the file is shorter, which the checksum then shows."""
  while len(data) and (count := os.preadv(handle, [data], place)):
    data, place = data[count:], place + count
