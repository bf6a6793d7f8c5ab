"""A file of named arrays and notes, which loads whole and unharmed or not at all.

The layout is that of safetensors, which other tools read too: the length of the header (8 bytes, little end first),
the header (JSON: a name's dtype, shape, and place in the data; notes under __metadata__), the data. Nothing in it is
code. A note holds a checksum of the whole file, taken with zeros in its own place.
"""

import hashlib
import json
import math
import os
import pathlib
import re

import ml_dtypes
import numpy as np

from latentmem.base import records
from latentmem.base.errors import InputError

FORMAT, VERSION = 'latentmem state', '1'
DTYPES = {
    'BOOL': np.dtype(bool), 'U8': np.dtype('u1'), 'I8': np.dtype('i1'), 'U16': np.dtype('<u2'), 'I16': np.dtype('<i2'),
    'U32': np.dtype('<u4'), 'I32': np.dtype('<i4'), 'U64': np.dtype('<u8'), 'I64': np.dtype('<i8'),
    'F16': np.dtype('<f2'), 'BF16': np.dtype(ml_dtypes.bfloat16), 'F32': np.dtype('<f4'), 'F64': np.dtype('<f8'),
}
CODES = {dtype: code for code, dtype in DTYPES.items()}
NOTES = '__metadata__'
UNKNOWN = '0' * 64
LONGEST_HEADER = 100_000_000
MOST_AXES = 32


def write(path: os.PathLike | str, arrays: dict[str, np.ndarray], notes: dict[str, str]) -> None:
  """Writes the file whole or not at all; where that fails, the file that was there stays.

  Raises InputError where the disk is full or the path cannot be written.
  """
  path = pathlib.Path(path)
  header = {NOTES: dict(notes, format=FORMAT, version=VERSION, checksum=UNKNOWN)}
  data, end = [], 0
  # Wide numbers first, so that every array starts at a multiple of its numbers' size.
  for name, array in sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
    start, end = end, end + array.nbytes
    header[name] = dict(dtype=CODES[array.dtype.newbyteorder('<')], shape=list(array.shape), data_offsets=[start, end])
    data.append(array.astype(array.dtype.newbyteorder('<'), copy=False).tobytes())
  text = json.dumps(header).encode()
  text += b' ' * (-len(text) % 8)
  size = len(text).to_bytes(8, 'little')
  digest = hashlib.sha256(size + text)
  for part in data:
    digest.update(part)
  text = text.replace(_note(UNKNOWN), _note(digest.hexdigest()), 1)
  content = b''.join([size, text, *data])
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
  header, start = _header(path, content)
  notes = header.pop(NOTES, None)
  if not isinstance(notes, dict) or notes.get('format') != FORMAT:
    raise InputError(f'{path} is no state file: its header does not call it {FORMAT!r}.')
  if notes.get('version') != VERSION:
    raise InputError(f'{path} has format version {notes.get("version")!r}; this release reads version {VERSION!r}.')
  _check_sum(path, content, start, notes.get('checksum'))
  if not all(isinstance(note, str) for note in notes.values()):
    raise InputError(f'{path} is no state file: its notes are not text.')
  return _arrays(path, header, memoryview(content)[start:]), notes


def _note(checksum: str) -> bytes:
  return f'"checksum": "{checksum}"'.encode()


def _header(path, content: bytes) -> tuple[dict, int]:
  """(header, where the data start)."""
  if len(content) < 8:
    raise InputError(f'{path} is no state file, or cut short: it has {len(content)} bytes.')
  length = int.from_bytes(content[:8], 'little')
  if length > min(len(content) - 8, LONGEST_HEADER):
    raise InputError(f'{path} is no state file, or cut short: it announces a header of {length:,} bytes and has '
                     f'{len(content):,} in all.')
  try:
    header = json.loads(content[8:8 + length].decode())
  except (ValueError, RecursionError) as error:
    raise InputError(f'{path} is no state file, or damaged: its header is not JSON.') from error
  if not isinstance(header, dict):
    raise InputError(f'{path} is no state file: its header is a {type(header).__name__}, not names.')
  return header, 8 + length


def _check_sum(path, content: bytes, start: int, noted) -> None:
  if not isinstance(noted, str) or not re.fullmatch('[0-9a-f]{64}', noted):
    raise InputError(f'{path} is damaged: it has no checksum.')
  head = content[:start].replace(_note(noted), _note(UNKNOWN), 1)
  digest = hashlib.sha256(head)
  digest.update(memoryview(content)[start:])
  if digest.hexdigest() != noted:
    raise InputError(f'{path} is damaged or cut short: its {len(content):,} bytes do not have the checksum that was '
                     'noted when it was written. Write it again, or take another copy.')


def _arrays(path, header: dict, data: memoryview) -> dict[str, np.ndarray]:
  """The arrays, each from its own place; together they must be the data, without gaps."""
  arrays, places = {}, []
  for name, told in header.items():
    dtype, shape, (begin, end) = _told(path, name, told)
    if end > len(data) or end - begin != math.prod(shape) * dtype.itemsize:
      raise InputError(f'{path} does not tell the truth: {name!r} is {dtype.name}{shape}, its place in the '
                       f'{len(data):,} bytes of data is {begin} to {end}.')
    try:
      array = np.frombuffer(data[begin:end], np.dtype('u1') if dtype.kind == 'b' else dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
      raise InputError(f'{path} does not tell the truth: {name!r} cannot have the shape {shape}.') from error
    if dtype.kind == 'b':
      if array.size and array.max() > 1:
        raise InputError(f'{path} does not tell the truth: {name!r} is not made of true and false.')
      array = array.astype(bool)
    arrays[name] = array
    places.append((begin, end))
  reached = 0
  for begin, end in sorted(places):
    if begin != reached:
      raise InputError(f'{path} does not tell the truth: its arrays overlap or leave gaps at byte {reached:,}.')
    reached = end
  if reached != len(data):
    raise InputError(f'{path} does not tell the truth: its arrays end at byte {reached:,} of {len(data):,}.')
  return arrays


def _told(path, name: str, told) -> tuple[np.dtype, list[int], list[int]]:
  """dtype, shape and place of one array, as the header has them, if they make sense."""
  whole = lambda values: isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
  try:
    dtype, shape, place = told['dtype'], told['shape'], told['data_offsets']
    sound = set(told) == {'dtype', 'shape', 'data_offsets'} and isinstance(dtype, str)
  except (TypeError, KeyError):
    sound = False
  if not (sound and whole(shape) and whole(place) and len(place) == 2 and place[0] <= place[1]
          and len(shape) <= MOST_AXES):
    raise InputError(f'{path} does not tell the truth: {name!r} has no proper dtype, shape and place.')
  if dtype not in DTYPES:
    raise InputError(f'{path} holds {name!r} as {dtype!r}; this release reads {sorted(DTYPES)}.')
  return DTYPES[dtype], shape, place
