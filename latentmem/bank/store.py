"""A bank: memory states as named, versioned objects that outlive the process and that many processes share.

    bank = Bank('runs/bank')                                        # or s3://bucket/bank, memory://bank, ...
    version = bank.put('alice', carry, kind='carry', fingerprint=..., storage='int8')
    carry, header = bank.get('alice', like=carry, fingerprint=...)  # the newest version
    bank.put('alice', later, onto=header.version)                   # refused where somebody else was quicker
    bank.fork('alice', 'bob')
    bank.merge(['alice', 'bob'], rule='mean', into='both')
    bank.forget('alice')                                            # all versions

A state is any tree of arrays: a memory's, a whole model's carry, a session's, a person's. Versions are never changed;
each is whole or not there, whatever its writer died of. What a folder promises beyond that says `folder`, what other
places do `objects`. Versions are named 'alice@3', or 'alice' for the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
import datetime
import functools
import os
from typing import Any, NamedTuple

import jax
import numpy as np

from latentmem.bank import folder, merging, objects
from latentmem.bank import header as bank_header
from latentmem.bank import storage as bank_storage
from latentmem.bank.header import Header, Parent
from latentmem.base import arrays as base_arrays
from latentmem.base import records, safetensors
from latentmem.base.errors import hint, InputError

# A version, by name or as its header.
Reference = str | Header


class Conflict(InputError):
  """Somebody else has put a version since the one that this was made of."""


class Change(NamedTuple):
  """One array in two versions.

  Attributes:
    before, after: (dtype, shape), None where the version has no such array.
    norm_before, norm_after: Roots of the sums of squares; None where absent.
    norm: Of the difference; None where it is absent in one, or of another shape there.
    largest: The largest difference of two numbers; None as above.
  """

  before: tuple[str, tuple[int, ...]] | None
  after: tuple[str, tuple[int, ...]] | None
  norm_before: float | None
  norm_after: float | None
  norm: float | None
  largest: float | None
  same: bool


class Bank:
  """Objects at a path: a folder, or a URL that fsspec knows."""

  def __init__(self, path: os.PathLike | str):
    """Opens a bank, which comes into being with its first object. Raises InputError for a path that can hold none."""
    self.path, self._place = path, objects.at(path)

  def list(self) -> list[str]:
    """The names of all objects."""
    return self._place.names()

  def versions(self, name: str) -> list[int]:
    """An object's versions, the newest last. Raises InputError where there is no such object."""
    found = self._place.numbers(bank_header.check_name(name))
    if not found:
      known = self.list()
      there = f'; it has {known[:10]}{", ..." if len(known) > 10 else ""}' if known else '; it is empty'
      raise InputError(f'The bank {self.path} has no object {name!r}{hint(name, known)}{there}.')
    return found

  def header(self, name: Reference, version: int | None = None) -> Header:
    """What is said of a version, the newest where none is named; its arrays are not read, so damage to them unseen."""
    name, version = self._find(name, version)
    head = self._place.head(name, version)
    return bank_header.decoded(self._place.file(name, version), name, version, head.places, head.notes)

  def put(self, name: str, tree, *, kind: str = '', fields: dict | None = None, fingerprint: str = '',
          notes: dict[str, Any] | None = None, parents: Sequence[Reference] = (), onto: int | None = None,
          when: str | datetime.datetime = '', storage: str = bank_storage.EXACT) -> int:
    """Adds a version of an object -> its number.

    Args:
      name: See `header.check_name`; at most 100 letters, digits and . _ = + -.
      tree: Arrays, in any tree; they are known by their paths in it, joined with '/'.
      kind: What it is, in the writer's words: 'titans', 'carry', 'profile', ...
      fields: Settings of the model or memory that wrote it; a wrong reader is told those that differ.
      fingerprint: Of the model that wrote it.
      notes: The writer's own, anything that JSON holds.
      parents: Versions that this was made of; `merge` finds by them what both sides came from.
      onto: The version that this one is to follow, and its parent; 0 where there shall be none yet.
      when: A time, ISO 8601 as text.
      storage: 'exact', 'float32', 'bfloat16' or 'int8'; see `storage`. The header states the errors.

    Raises:
      Conflict: where `onto` is not the newest version (any more).
      InputError: for a name, tree or note that cannot be kept, a parent that is not there, a full disk.
    """
    bank_header.check_name(name)
    parents = [self._parent(parent) for parent in parents]
    if onto is not None:
      self._check_newest(name, onto)
      parents += [self._followed(name, onto)] if onto else []
    written, stored = bank_storage.store(named(tree), storage)
    said = dict(kind=kind, fields=fields or {}, fingerprint=fingerprint, notes=notes or {}, when=_time(when))
    return self._write(name, written, stored, said, parents, None if onto is None else onto + 1)

  def get(self, name: Reference, version: int | None = None, *, like=None, kind: str | None = None,
          fields: dict | None = None, fingerprint: str | None = None) -> tuple[Any, Header]:
    """A version, the newest where none is named -> (its arrays by name, header).

    Args:
      name, version: 'alice' and 3, or 'alice@3', or a header.
      like: A tree of arrays or shapes; the arrays come back as that tree, if they are the same in name, shape, dtype.
      kind, fields, fingerprint: What the version has to be, and who has to have written it; None takes any.

    Raises InputError where there is no such version, where it is damaged, or is not what is asked for.
    """
    header, written = self._read(*self._find(name, version))
    bank_header.check_written_by(header, self.path, kind, fields, fingerprint)
    arrays = bank_storage.restore(self._place.file(header.name, header.version), written, header.stored)
    return (arrays if like is None else shaped(arrays, like, header)), header

  def fork(self, name: Reference, as_name: str, version: int | None = None, when: str | datetime.datetime = '') -> int:
    """Begins a new object with a version of another, stored as it is -> its number, 1.

    Raises InputError where there is no such version, Conflict where the new name is taken.
    """
    bank_header.check_name(as_name)
    header, written = self._read(*self._find(name, version))
    self._check_newest(as_name, 0)
    return self._write(as_name, written, header.stored, _said(header) | dict(when=_time(when)), [_as_parent(header)], 1)

  def merge(self, names: Sequence[Reference], rule: str, into: str, onto: int | None = None,
            when: str | datetime.datetime = '', storage: str = bank_storage.EXACT) -> int:
    """Makes one version of several -> its number; see `merging` for the rules 'refuse', 'newest' and 'mean'.

    What an array differs by from the common parent is no change where storing it in fewer bits may have done that.
    The sides' common parent is the nearest that is still there; the first side's nearest, where there are several.
    'newest' is by version among those of one object, else by `when`. Notes are merged as arrays are.

    Args:
      names: Two or more versions.
      into: The object that gets the new version; it may be one of them, or new.
      onto, when, storage: As for `put`.

    Raises InputError where kinds, fields or fingerprints differ, also from those of what `into` holds, or where the
    rule refuses; Conflict as `put` does.
    """
    bank_header.check_name(into)
    if len(names) < 2:
      raise InputError(f'merge takes two versions or more, not {list(map(str, names))}.')
    found = [self._find(name, None) for name in names]
    headers = [self.header(*reference) for reference in found]
    held = [self.header(into)] if self._place.numbers(into) else []
    for header in headers[1:] + held:
      bank_header.check_written_by(header, self.path, headers[0].kind, headers[0].fields, headers[0].fingerprint)
    headers = _by_age(headers, self.path) if rule == 'newest' else headers
    origin = self._common(headers)
    parent = self.get(origin)[0] if origin else None
    errors = lambda header: {name: how.largest for name, how in header.stored.items()}
    sides = [merging.unrounded(self.get(header)[0], parent, errors(header)) for header in headers]
    who = ' and '.join(map(str, headers))
    arrays = merging.merged(sides, parent, rule, 'the arrays', who, merging.same_array)
    notes = merging.merged([header.notes for header in headers], origin and origin.notes, rule, 'the notes', who,
                           lambda a, b: a == b)
    first = headers[0]
    return self.put(into, arrays, kind=first.kind, fields=first.fields, fingerprint=first.fingerprint, notes=notes,
                    parents=headers, onto=onto, when=when, storage=storage)

  def diff(self, before: Reference, after: Reference) -> dict[str, Change]:
    """What differs from one version to another, by the arrays' names; arrays that are the same are there, too."""
    (old, _), (new, _) = self.get(before), self.get(after)
    return {name: _change(old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())}

  def forget(self, name: str) -> None:
    """Removes an object, all its versions. Raises InputError where there is none, or where it cannot be removed."""
    self.versions(name)
    self._place.drop(name)

  def _find(self, name: Reference, version: int | None) -> tuple[str, int]:
    """(name, version) of a version that is there."""
    asked, at = (name.name, name.version) if isinstance(name, Header) else bank_header.reference(name)
    if at is not None and version not in (None, at):
      raise InputError(f'{name} and version {version} are two versions; name one.')
    version = at if version is None else version
    known = self.versions(asked)
    if version is None:
      return asked, known[-1]
    if version not in known:
      raise InputError(f'{asked} of {self.path} has no version {bank_header.shown(version)}; it has {known[0]} to '
                       f'{known[-1]}.')
    return asked, version

  def _read(self, name: str, version: int) -> tuple[Header, dict[str, np.ndarray]]:
    """(header, arrays as they are stored)."""
    written, notes = self._place.read(name, version)
    return bank_header.decoded(self._place.file(name, version), name, version, written, notes), written

  def _write(self, name: str, written: dict, stored: dict, said: dict, parents: list[Parent],
             number: int | None) -> int:
    notes = bank_header.encoded(name, parents=tuple(parents), stored=stored, library=_library(), **said)
    try:
      return self._place.add(name, written, notes, number)
    except folder.Taken:
      self._check_newest(name, number - 1)
      raise Conflict(f'Somebody else is putting {name}@{number} right now. Get it and make yours anew.') from None

  def _check_newest(self, name: str, onto: int) -> None:
    newest = (self._place.numbers(name) or [0])[-1]
    if newest != onto:
      raise Conflict(
          f'{name} of {self.path} is there already, up to version {newest}. Take another name, or forget it first.'
          if onto == 0 else
          f'{name} of {self.path} is at version {newest or "none"}, not {bank_header.shown(onto)}, which this was made '
          'of. Get the newest and make yours anew; or put it under another name, with its parent, and merge the two.')

  def _parent(self, parent: Reference) -> Parent:
    return _as_parent(parent if isinstance(parent, Header) else self.header(parent))

  def _followed(self, name: str, onto: int) -> Parent:
    try:
      return self._parent(f'{name}@{onto}')
    except InputError as error:
      raise InputError(f'{error} Nothing can follow it; without onto a version is put behind it all the same, and '
                       f'versions {self.versions(name)[:-1]} before it may be whole.') from error

  def _common(self, headers: list[Header]) -> Header | None:
    """The nearest common ancestor that is still there; a version is among its own ancestors."""
    lines = [self._line(header) for header in headers]
    shared = [ancestor for ancestor in lines[0] if all(ancestor in line for line in lines[1:])]
    above = {older for ancestor in shared for older in self._line(lines[0][ancestor]) if older != ancestor}
    nearest = [ancestor for ancestor in shared if ancestor not in above]
    return lines[0][nearest[0]] if nearest else None

  def _line(self, header: Header) -> dict[Parent, Header]:
    """A version and all that it comes from and that is still there, the nearest first."""
    line, next_ = {}, [header]
    while next_:
      header = next_.pop(0)
      if _as_parent(header) not in line:
        line[_as_parent(header)] = header
        next_ += filter(None, map(self._there, header.parents))
    return line

  def _there(self, parent: Parent) -> Header | None:
    """A parent's header; None where it was forgotten, be it while it is read, or its name is another's now."""
    there = lambda: parent.version in self._place.numbers(bank_header.check_name(parent.name))
    if not there():
      return None
    try:
      header = self.header(parent.name, parent.version)
    except InputError:
      if there():
        raise
      return None
    return header if header.checksum == parent.checksum else None


def named(tree) -> dict[str, np.ndarray]:
  """A tree's arrays on the host by their names. Raises InputError for what is no array that a file holds."""
  found = {}
  for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
    name = base_arrays.name_of(path)
    if name in found:
      raise InputError(f'The state has two arrays {name!r}; names of a tree are joined with /.')
    if not name.isprintable() or name == safetensors.NOTES:
      raise InputError(f'{bank_header.shown(name)} cannot name an array.')
    if not getattr(leaf, 'is_fully_addressable', True):
      raise InputError(f'{name!r} lies on the devices of several processes; gather it first.')
    try:
      array = np.asarray(leaf)
      code = safetensors.CODES.get(array.dtype.newbyteorder('<'))
    except (TypeError, ValueError, NotImplementedError):
      code = None
    if code is None:
      raise InputError(f'{name!r} is {getattr(leaf, "dtype", type(leaf).__name__)}; a bank keeps arrays of '
                       f'{[str(dtype) for dtype in safetensors.CODES]}.')
    found[name] = array
  return found


def shaped(arrays: dict[str, np.ndarray], like, who) -> Any:
  """Arrays as the tree `like`. Raises InputError, naming arrays, where names, shapes or dtypes differ."""
  leaves, structure = jax.tree_util.tree_flatten_with_path(like)
  wanted = {base_arrays.name_of(path): (np.dtype(leaf.dtype).name, tuple(leaf.shape)) for path, leaf in leaves}
  there = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
  told = lambda side, name: f'{side[name][0]}{list(side[name][1])}' if name in side else 'absent'
  differing = [f'{name} is {told(there, name)} there, {told(wanted, name)} here'
               for name in sorted(wanted.keys() | there.keys()) if wanted.get(name) != there.get(name)]
  if differing:
    more = f'; and {len(differing) - 5} more' if len(differing) > 5 else ''
    raise InputError(f'{who} does not hold the arrays that are asked for: {"; ".join(differing[:5])}{more}.')
  return jax.tree_util.tree_unflatten(structure, [arrays[name] for name in wanted])


_library = functools.cache(records.versions)


def _said(header: Header) -> dict:
  return dict(kind=header.kind, fields=header.fields, fingerprint=header.fingerprint, notes=header.notes)


def _as_parent(header: Header) -> Parent:
  return Parent(header.name, header.version, header.checksum)


def _time(when: str | datetime.datetime) -> str:
  if isinstance(when, datetime.datetime):
    return when.isoformat()
  try:
    return when and datetime.datetime.fromisoformat(when).isoformat()
  except (TypeError, ValueError):
    raise InputError(f'when={bank_header.shown(when)} is no time; 2030-01-31T12:00:00+00:00 is one.') from None


def _by_age(headers: list[Header], path) -> list[Header]:
  """From the oldest to the newest."""
  if len({header.name for header in headers}) == 1:
    return sorted(headers, key=lambda header: header.version)
  try:
    return sorted(headers, key=lambda header: datetime.datetime.fromisoformat(header.when))
  except (TypeError, ValueError):
    times = {str(header): header.when for header in headers}
    raise InputError(f'Which of {times} in {path} is the newest cannot be said: not all have a `when`, or not all of '
                     'them a time zone.') from None


def _change(old: np.ndarray | None, new: np.ndarray | None) -> Change:
  shape = lambda array: None if array is None else (array.dtype.name, array.shape)
  norm = lambda array: None if array is None else float(np.sqrt(np.sum(np.square(array, dtype=np.float64))))
  both = old is not None and new is not None
  apart = new.astype(np.float64) - old.astype(np.float64) if both and old.shape == new.shape else None
  largest = None if apart is None else float(np.max(np.abs(apart), initial=0))
  return Change(shape(old), shape(new), norm(old), norm(new), norm(apart), largest,
                both and merging.same_array(old, new))
