"""The one error a user sees: what was found, what would do, the nearest thing that exists."""

from collections.abc import Iterable
import difflib


class InputError(ValueError):
  """What the user gave cannot be used. Launchers print it in one line and exit with code 2."""


def hint(word: str, known: Iterable[str]) -> str:
  """' (did you mean ...?)' with the nearest of `known`, or ''."""
  near = difflib.get_close_matches(word, list(known), n=1)
  return f' (did you mean {near[0]!r}?)' if near else ''


def check_known(value, known: Iterable[str], who: str, what: str):
  """Raises InputError unless `value` is one of `known`: `who` has no such `what`."""
  known = list(known)
  if value not in known:
    raise InputError(f'{who} has no {what} {value!r}{hint(str(value), known)}; it has {known}.')
