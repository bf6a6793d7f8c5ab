"""What stands behind a config's colon, joined by commas."""

from collections.abc import Iterable

from latentmem.base.errors import check_known, InputError


def named(parts: Iterable[str], known: Iterable[str], who: str) -> dict[str, str]:
  """Of 'steps=3' and the like. Raises InputError for a name that is not known, naming the nearest."""
  chosen = dict(each.partition('=')[::2] for each in parts)
  for name in chosen:
    check_known(name, known, who, 'choice')
  return chosen


def memory_and_named(choice: str, default: str, known: Iterable[str], who: str) -> tuple[str, dict[str, str]]:
  """A memory, anywhere among what is named. Raises InputError for two of them, and as `named` does."""
  parts = choice.split(',')
  kinds = [each for each in parts if '=' not in each] or [default]
  if len(kinds) > 1:
    raise InputError(f'One memory at a time: {kinds} are {len(kinds)}.')
  return kinds[0], named([each for each in parts if '=' in each], known, who)
