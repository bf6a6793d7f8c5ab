"""Files that others wrote: read whole, checked key by key, refused in one sentence that says where."""

from collections.abc import Iterable
import json
import pathlib
import re

from latentmem.base.errors import hint, InputError


def text_of(path) -> str:
  """A UTF-8 file's text. Raises InputError."""
  try:
    return pathlib.Path(path).read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError as e:
    raise InputError(f'{path} is not UTF-8 text: {e.reason} at byte {e.start}.') from e
  except (OSError, ValueError) as e:
    raise InputError(f'{str(path)!r} cannot be read: {getattr(e, "strerror", None) or e}.') from e


def json_of(text: str, where: str):
  """What JSON text holds. Raises InputError, also where a key stands twice in an object or a number is NaN."""
  try:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
  except (ValueError, RecursionError) as e:
    raise InputError(f'{where} is not JSON: {e}.') from e


def _once(pairs):
  found = dict(pairs)
  if len(found) < len(pairs):
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise ValueError(f'the key {twice!r} stands twice in one object')
  return found


def _refuse(name):
  raise ValueError(f'{name} is no number')


def need(record, key: str, kinds, where: str):
  """record[key], which must be there and of one of the kinds. Raises InputError that names place and key."""
  expect(record, dict, where)
  if key not in record:
    raise InputError(f'{where} has no {key!r}{hint(key, filter(None, record))}; it has {sorted(map(str, record))}.')
  return expect(record[key], kinds, f'{where}, {key!r}')


def expect(value, kinds, where: str):
  """`value`, which must be of one of the kinds; True and False are no numbers, half a letter is no text.

  Raises InputError.
  """
  kinds = kinds if isinstance(kinds, tuple) else (kinds,)
  if not isinstance(value, kinds) or isinstance(value, bool) and bool not in kinds:
    raise InputError(f'{where}: this is a {type(value).__name__}, not a {" or a ".join(k.__name__ for k in kinds)}.')
  if isinstance(value, str) and (half := re.search('[\ud800-\udfff]', value)):
    raise InputError(f'{where}: half a letter (a lone surrogate, character {half.start()}) cannot be written as bytes.')
  return value


def check_spelling(record: dict, known: Iterable[str], where: str) -> None:
  """Raises InputError for a key that is unknown and nearly one that is known and not there: it would be passed over."""
  known = list(known)
  missing = [name for name in known if name not in record]
  for key in record:
    if key not in known and (near := hint(key, missing)):
      raise InputError(f'{where} has a key {key!r}{near}, which would be passed over.')
