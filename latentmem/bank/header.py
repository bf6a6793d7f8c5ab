"""What is said of one version of an object: where it comes from, what it holds, how it is stored.

It lies as JSON in a note of the file, so whoever reads safetensors reads it too. None of it is believed unchecked.
"""

import json
import math
import re
from typing import Any, NamedTuple

from latentmem.bank import format as bank_format
from latentmem.bank import storage
from latentmem.base import records, safetensors
from latentmem.base.errors import hint, InputError

NOTE = 'object'
LONGEST_NAME = 100
LAST_VERSION = 10 ** 8 - 1
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._=+-]*')


class Parent(NamedTuple):
  """A version that another was made of; its checksum tells it from what bore its name before it was forgotten."""

  name: str
  version: int
  checksum: str

  def __str__(self):
    return f'{self.name}@{self.version}'


class Header(NamedTuple):
  """What is said of a version.

  Attributes:
    name, version: Its own.
    kind: What it is: 'titans', 'carry', 'session', 'profile', ... in the writer's words.
    fields: Settings of the model or memory that wrote it, by name.
    fingerprint: Of the model that wrote it; '' where it belongs to none.
    parents: What it was made of.
    when: As it was handed over; '' where it was not.
    arrays: dtype and shape of what was put, by name.
    stored: How arrays are stored that are not stored exactly, with the errors.
    notes: The writer's own.
    library: Versions of Python and of the packages that wrote it.
    checksum: Of the file.
    bytes: Of its arrays, as they are stored.
  """

  name: str
  version: int
  kind: str
  fields: dict[str, Any]
  fingerprint: str
  parents: tuple[Parent, ...]
  when: str
  arrays: dict[str, tuple[str, tuple[int, ...]]]
  stored: dict[str, storage.Stored]
  notes: dict[str, Any]
  library: dict[str, str]
  checksum: str
  bytes: int

  def __str__(self):
    return f'{self.name}@{self.version}'


def check_name(name: str) -> str:
  """`name`, if an object may bear it. Raises InputError otherwise."""
  if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
    raise InputError(f'{shown(name)} cannot name an object. A name has 1 to {LONGEST_NAME} of the letters A to Z, a to '
                     'z, digits and . _ = + -, and begins with a letter or a digit.')
  return name


def check_version(name: str, version: int) -> int:
  """`version`, if a new version may have this number. Raises InputError otherwise."""
  if version > LAST_VERSION:
    raise InputError(f'{name} has had version {LAST_VERSION}, the last there is. Fork it, and go on with the fork.')
  return version


def reference(said: str) -> tuple[str, int | None]:
  """(name, version) of 'name@version', or (name, None) of a name alone. Raises InputError for anything else."""
  name, at, version = said.partition('@') if isinstance(said, str) else (said, '', '')
  if at and not re.fullmatch('[1-9][0-9]{0,7}', version):
    raise InputError(f'{shown(said)} names no version: behind @ there is a whole number from 1, as in alice@3.')
  return check_name(name), int(version) if at else None


def shown(said) -> str:
  """Anything that was given, short and without control characters."""
  text = repr(said)
  return text if len(text) <= 60 else f'{text[:40]}... ({len(text):,} characters)'


def encoded(name: str, kind: str, fields: dict, fingerprint: str, parents: tuple[Parent, ...], when: str,
            stored: dict[str, storage.Stored], notes: dict, library: dict) -> dict[str, str]:
  """The notes of a file. Raises InputError for what JSON cannot hold."""
  said = dict(name=name, kind=kind, fields=fields, fingerprint=fingerprint, parents=[list(p) for p in parents],
              when=when, stored={name: list(how) for name, how in stored.items()}, notes=notes, library=library)
  for part in ('kind', 'fingerprint', 'when'):
    if not _is_text(said[part]):
      raise InputError(f'{part} is text without control characters, not {shown(said[part])}.')
  for part in ('fields', 'notes'):
    if not isinstance(said[part], dict) or not all(isinstance(key, str) for key in said[part]):
      raise InputError(f'{part} is a dict with names as keys, not {shown(said[part])}.')
  try:
    return {NOTE: json.dumps(said, allow_nan=False)}
  except (TypeError, ValueError, RecursionError) as error:
    raise InputError(f'fields and notes hold what JSON can hold, and no more: {error}.') from None


def decoded(path, name: str, version: int, written: dict, notes: dict[str, str]) -> Header:
  """The header of a file, from its notes and the arrays in it, or their places.

  Raises InputError where it is none, is another object's, or says what cannot be.
  """
  bank_format.check_notes(path, notes)
  try:
    said = json.loads(notes[NOTE])
    parents = tuple(Parent(*parent) for parent in said.pop('parents'))
    stored = {array: storage.Stored(*how) for array, how in said.pop('stored').items()}
    header = Header(**said, version=version, parents=parents, stored=stored, arrays=_were(written, stored),
                    checksum=notes['checksum'],
                    bytes=sum(math.prod(array.shape) * array.dtype.itemsize for array in written.values()))
    sound = _sound(header)
  except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
    sound = False
  if not sound:
    raise InputError(f'{path} is no object of a bank: its notes do not say what it is.')
  if header.name != name:
    raise InputError(f'{path} holds a version of {header.name!r}, not of {name!r}: files of a bank are not renamed or '
                     'moved; fork gives an object another name.')
  return header


def _were(written: dict, stored: dict[str, storage.Stored]) -> dict[str, tuple[str, tuple[int, ...]]]:
  """dtype and shape of what was put."""
  scales = {how.scale for how in stored.values()} - {''}
  code = lambda name, array: stored[name].dtype if name in stored else (
      safetensors.CODES[array.dtype.newbyteorder('<')])
  return {name: (code(name, array), tuple(array.shape)) for name, array in written.items() if name not in scales}


def _sound(header: Header) -> bool:
  text = lambda *values: all(map(_is_text, values))
  number = lambda value: type(value) in (int, float) and math.isfinite(value) and value >= 0
  return (
      text(header.name, header.kind, header.fingerprint, header.when)
      and all(isinstance(value, dict) for value in (header.fields, header.notes, header.library))
      and all(text(p.name, p.checksum) and type(p.version) is int and p.version > 0 for p in header.parents)
      and all(text(how.kind, how.dtype, how.scale) and how.kind in storage.KINDS[1:] and how.dtype in safetensors.FLOATS
              and number(how.largest) and number(how.rms) and name in header.arrays
              and bool(how.scale) == (how.kind == storage.INT8) for name, how in header.stored.items()))


def _is_text(value) -> bool:
  return isinstance(value, str) and value.isprintable()


def check_written_by(header: Header, path, kind: str | None, fields: dict | None, fingerprint: str | None) -> None:
  """Raises InputError unless an object is of this kind and was written by this model; None accepts any."""
  if kind is not None and header.kind != kind:
    raise InputError(f'{header} of {path} is a {header.kind!r}, not a {kind!r}{hint(kind, [header.kind])}.')
  if fingerprint is None and fields is None:
    return
  # As they come back from a file: tuples as lists.
  wanted = None if fields is None else json.loads(json.dumps(fields))
  differing = [] if wanted is None else list(records.differences(header.fields, wanted))
  if differing:
    told = '; '.join(f'{name} is {old!r} there, {new!r} here' for name, old, new in differing[:5])
    raise InputError(f'{header} of {path} was written by another model ({told}). It goes on only with its own.')
  if fingerprint is not None and header.fingerprint != fingerprint:
    raise InputError(f'{header} of {path} was written by another model: its fingerprint is '
                     f'{header.fingerprint[:16] or "none"}, this one\'s {fingerprint[:16] or "none"}. It goes on only '
                     'with the checkpoint that wrote it.')
