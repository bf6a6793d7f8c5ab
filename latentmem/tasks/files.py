"""Files that others wrote: read whole, checked key by key, refused in one sentence that says where."""

import json
import pathlib

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
  """What JSON text holds. Raises InputError."""
  try:
    return json.loads(text)
  except (ValueError, RecursionError) as e:
    raise InputError(f'{where} is not JSON: {e}.') from e


def need(record, key: str, kinds, where: str):
  """record[key], which must be there and of one of the kinds. Raises InputError that names place and key."""
  expect(record, dict, where)
  if key not in record:
    raise InputError(f'{where} has no {key!r}{hint(key, filter(None, record))}; it has {sorted(map(str, record))}.')
  return expect(record[key], kinds, f'{where}, {key!r}')


def expect(value, kinds, where: str):
  """`value`, which must be of one of the kinds; True and False are no numbers. Raises InputError."""
  kinds = kinds if isinstance(kinds, tuple) else (kinds,)
  if not isinstance(value, kinds) or isinstance(value, bool) and bool not in kinds:
    raise InputError(f'{where}: this is a {type(value).__name__}, not a {" or a ".join(k.__name__ for k in kinds)}.')
  return value
