"""A file of named arrays and notes, which loads whole and unharmed or not at all.

The layout is that of safetensors, which other tools read too. A note holds a checksum of the whole file, taken with
zeros in its own place.
"""

import hashlib
import os
import pathlib
import re

import numpy as np

from latentmem.base import records, safetensors
from latentmem.base.errors import InputError

FORMAT, VERSION = 'latentmem state', '1'
WHAT = 'state file'
UNKNOWN = '0' * 64


def write(path: os.PathLike | str, arrays: dict[str, np.ndarray], notes: dict[str, str]) -> None:
  """Writes the file whole or not at all; where that fails, the file that was there stays.

  Raises InputError where the disk is full or the path cannot be written.
  """
  path = pathlib.Path(path)
  head, order = safetensors.encoded({name: (array.dtype, array.shape) for name, array in arrays.items()},
                                    dict(notes, format=FORMAT, version=VERSION, checksum=UNKNOWN))
  data = [safetensors.data_of(arrays[name]) for name in order]
  digest = hashlib.sha256(head)
  for part in data:
    digest.update(part)
  content = b''.join([head.replace(_note(UNKNOWN), _note(digest.hexdigest()), 1), *data])
  try:
    records.write_whole(path, content)
  except InputError as error:
    raise InputError(f'There is no space left to write {path}, which takes {len(content):,} bytes. '
                     'Free some space, or name another place. What was there before is as it was.') from error
  except OSError as error:
    raise InputError(f'{path} cannot be written: {error.strerror}. Name a file in a folder that exists.') from error


def read(path: os.PathLike | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
  """(arrays, notes) of a file.

  Raises InputError where there is none, where it is cut short, damaged, of another format or version, or where its
  header does not tell the truth about its data.
  """
  try:
    content = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise InputError(f'{path} cannot be read: {error.strerror}.') from error
  header, start = safetensors.told(path, content, len(content), WHAT)
  notes = header.pop(safetensors.NOTES, None)
  if not isinstance(notes, dict) or notes.get('format') != FORMAT:
    raise InputError(f'{path} is no {WHAT}: its header does not call it {FORMAT!r}.')
  if notes.get('version') != VERSION:
    raise InputError(f'{path} has format version {notes.get("version")!r}; this release reads version {VERSION!r}.')
  _check_sum(path, content, start, notes.get('checksum'))
  if not all(isinstance(note, str) for note in notes.values()):
    raise InputError(f'{path} is no {WHAT}: its notes are not text.')
  data = memoryview(content)[start:]
  places = safetensors.places(path, header, len(data))
  return {name: safetensors.array(path, name, place, data[place.begin:place.end])
          for name, place in places.items()}, notes


def _note(checksum: str) -> bytes:
  return f'"checksum": "{checksum}"'.encode()


def _check_sum(path, content: bytes, start: int, noted) -> None:
  if not isinstance(noted, str) or not re.fullmatch('[0-9a-f]{64}', noted):
    raise InputError(f'{path} is damaged: it has no checksum.')
  digest = hashlib.sha256(content[:start].replace(_note(noted), _note(UNKNOWN), 1))
  digest.update(memoryview(content)[start:])
  if digest.hexdigest() != noted:
    raise InputError(f'{path} is damaged or cut short: its {len(content):,} bytes do not have the checksum that was '
                     'noted when it was written. Write it again, or take another copy.')
