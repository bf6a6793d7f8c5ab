"""The layout of safetensors files: named arrays behind a header that says where each of them lies.

The length of the header (8 bytes, little end first), the header (JSON: a name's dtype, shape and place in the data;
notes under __metadata__), the data, without gaps. Nothing in it is code. No header is believed unchecked.
"""

from collections.abc import Callable
import itertools
import json
import math
import os
import pathlib
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from latentmem.base.errors import InputError

DTYPES = {
    'BOOL': np.dtype(bool), 'U8': np.dtype('u1'), 'I8': np.dtype('i1'), 'U16': np.dtype('<u2'), 'I16': np.dtype('<i2'),
    'U32': np.dtype('<u4'), 'I32': np.dtype('<i4'), 'U64': np.dtype('<u8'), 'I64': np.dtype('<i8'),
    'F16': np.dtype('<f2'), 'BF16': np.dtype(jnp.bfloat16), 'F32': np.dtype('<f4'), 'F64': np.dtype('<f8'),
}
CODES = {dtype: code for code, dtype in DTYPES.items()}
FLOATS = ('F16', 'BF16', 'F32', 'F64')
NOTES = '__metadata__'
LONGEST_HEADER = 100_000_000
MOST_AXES = 32


class Place(NamedTuple):
  """What the header says of one array; `begin` and `end` count from where the data start."""

  dtype: np.dtype
  shape: tuple[int, ...]
  begin: int
  end: int


class Header(NamedTuple):
  """A checked header: places by name, the notes as they are, and the byte at which the data start."""

  places: dict[str, Place]
  notes: dict
  start: int


def encoded(shapes: dict[str, tuple[np.dtype, tuple[int, ...]]], notes: dict[str, str]) -> tuple[bytes, list[str]]:
  """(the header with its length, the names in the order of their data) for arrays of these dtypes and shapes."""
  header, end = {NOTES: notes}, 0
  # Wide numbers first, so that every array starts at a multiple of its numbers' size.
  order = sorted(shapes, key=lambda name: (-shapes[name][0].itemsize, name))
  for name in order:
    dtype, shape = shapes[name]
    start, end = end, end + math.prod(shape) * dtype.itemsize
    header[name] = dict(dtype=CODES[dtype.newbyteorder('<')], shape=list(shape), data_offsets=[start, end])
  text = json.dumps(header).encode()
  text += b' ' * (-len(text) % 8)
  return len(text).to_bytes(8, 'little') + text, order


def data_of(array: np.ndarray) -> memoryview:
  """An array's bytes as a file has them; no copy where they lie so already."""
  array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder('<'), copy=False))
  return memoryview(array.reshape(-1).view(np.uint8))


def open_header(path: os.PathLike | str, what: str = 'safetensors file') -> Header:
  """The header of a file; of the data it reads none.

  Raises InputError where the file is missing, cut short or no such file, or where its header does not tell the truth.
  """
  try:
    size = pathlib.Path(path).stat().st_size
    with open(path, 'rb') as file:
      head = file.read(8)
      length = announced(path, head, size, what)
      head += file.read(length)
  except OSError as error:
    raise InputError(f'{path} cannot be read: {error.strerror}.') from error
  return checked(path, head, size, what)


def checked(path, head: bytes, size: int, what: str = 'safetensors file') -> Header:
  """The header of a file of so many bytes that begins with `head`. Raises InputError as `open_header` does."""
  header, start = told(path, head, size, what)
  notes = header.pop(NOTES, {})
  return Header(places(path, header, size - start), notes if isinstance(notes, dict) else {}, start)


def announced(path, head: bytes, size: int, what: str) -> int:
  """The header's length by the first bytes of a file of so many bytes."""
  if size < 8 or len(head) < 8:
    raise InputError(f'{path} is no {what}, or cut short: it has {size} bytes.')
  length = int.from_bytes(head[:8], 'little')
  if length > min(size - 8, LONGEST_HEADER):
    raise InputError(f'{path} is no {what}, or cut short: it announces a header of {length:,} bytes and has '
                     f'{size:,} in all.')
  return length


def told(path, head: bytes, size: int, what: str) -> tuple[dict, int]:
  """(header as it stands there, where the data start) of a file of so many bytes that begins with `head`."""
  length = announced(path, head, size, what)
  try:
    header = json.loads(head[8:8 + length].decode())
  except (ValueError, RecursionError) as error:
    raise InputError(f'{path} is no {what}, or damaged: its header is not JSON.') from error
  if not isinstance(header, dict):
    raise InputError(f'{path} is no {what}: its header is a {type(header).__name__}, not names.')
  return header, 8 + length


def places(path, header: dict, size: int) -> dict[str, Place]:
  """What a header (without its notes) says of `size` bytes of data, if that can be: arrays side by side, no gaps."""
  found = {name: _place(path, name, said, size) for name, said in header.items()}
  reached = 0
  for place in sorted(found.values(), key=lambda place: (place.begin, place.end)):
    if place.begin != reached:
      raise InputError(f'{path} does not tell the truth: its arrays overlap or leave gaps at byte {reached:,}.')
    reached = place.end
  if reached != size:
    raise InputError(f'{path} does not tell the truth: its arrays end at byte {reached:,} of {size:,}.')
  return found


def array(path, name: str, place: Place, data) -> np.ndarray:
  """One array, from the bytes that its place names (a view of them where that can be)."""
  dtype = place.dtype
  try:
    found = np.frombuffer(data, np.dtype('u1') if dtype.kind == 'b' else dtype).reshape(place.shape)
  except (ValueError, OverflowError) as error:
    raise InputError(f'{path} does not tell the truth: {name!r} cannot have the shape {list(place.shape)}.') from error
  if dtype.kind == 'b':
    if found.size and found.max() > 1:
      raise InputError(f'{path} does not tell the truth: {name!r} is not made of true and false.')
    found = found.astype(bool)
  return found


def read(path: os.PathLike | str, header: Header, name: str) -> np.ndarray:
  """One array of a file, and nothing else of it. Raises InputError where the file has become shorter."""
  place = header.places[name]
  data = bytearray(place.end - place.begin)
  with open(path, 'rb', buffering=0) as file:
    file.seek(header.start + place.begin)
    whole = _filled(file, memoryview(data))
  if not whole:
    raise InputError(f'{path} is cut short: {name!r} ends before its {len(data):,} bytes.')
  return array(path, name, place, data)


def read_piece(path: os.PathLike | str, place: Place, start: int, index: tuple[slice, ...], into: np.ndarray) -> None:
  """Reads the part of one array that `index` cuts out into an array of its shape and dtype, and nothing else of it.

  `start` is where the file's data begin. Raises InputError where the file has become shorter.
  """
  cuts = [cut.indices(size)[:2] for cut, size in zip(index, place.shape)]
  # Behind the last axis that is really cut, everything lies in one run.
  last = max((i for i, (cut, size) in enumerate(zip(cuts, place.shape)) if cut != (0, size)), default=-1)
  strides = [math.prod(place.shape[i + 1:]) * place.dtype.itemsize for i in range(len(cuts))]
  run = (cuts[last][1] - cuts[last][0]) * strides[last] if last >= 0 else place.end - place.begin
  first = start + place.begin + (cuts[last][0] * strides[last] if last >= 0 else 0)
  data, filled = memoryview(into.reshape(-1).view(np.uint8)), 0
  with open(path, 'rb', buffering=0) as file:
    for above in itertools.product(*(range(*cut) for cut in cuts[:max(last, 0)])):
      file.seek(first + sum(i * stride for i, stride in zip(above, strides)))
      if not _filled(file, data[filled:filled + run]):
        raise InputError(f'{path} is cut short: it ends at byte {file.tell():,}.')
      filled += run


def write(path: os.PathLike | str, shapes: dict[str, tuple[np.dtype, tuple[int, ...]]], notes: dict[str, str],
          array: Callable[[str], np.ndarray]) -> None:
  """Writes a file to the disk, one array in memory at a time: `array` is asked for each by its name.

  The file is whole only where this returns; a caller writes it where nobody looks yet.
  """
  head, order = encoded(shapes, notes)
  with open(path, 'wb') as file:
    file.write(head)
    for name in order:
      file.write(data_of(array(name)))
    file.flush()
    os.fsync(file.fileno())


def _filled(file, data: memoryview) -> bool:
  """Reads from where the file stands until `data` is full; False where the file ends before."""
  while len(data) and (count := file.readinto(data)):
    data = data[count:]
  return not len(data)


def _place(path, name: str, said, size: int) -> Place:
  """dtype, shape and place of one array, as the header has them, if they make sense."""
  whole = lambda values: isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
  try:
    dtype, shape, place = said['dtype'], said['shape'], said['data_offsets']
    sound = set(said) == {'dtype', 'shape', 'data_offsets'} and isinstance(dtype, str)
  except (TypeError, KeyError):
    sound = False
  if not (sound and whole(shape) and whole(place) and len(place) == 2 and place[0] <= place[1]
          and len(shape) <= MOST_AXES):
    raise InputError(f'{path} does not tell the truth: {name!r} has no proper dtype, shape and place.')
  if dtype not in DTYPES:
    raise InputError(f'{path} holds {name!r} as {dtype!r}; this release reads {sorted(DTYPES)}.')
  (begin, end), dtype = place, DTYPES[dtype]
  if end > size or end - begin != math.prod(shape) * dtype.itemsize:
    raise InputError(f'{path} does not tell the truth: {name!r} is {dtype.name}{shape}, its place in the '
                     f'{size:,} bytes of data is {begin} to {end}.')
  return Place(dtype, tuple(shape), begin, end)
