"""Which histories a base reads itself: of how many tokens, and of whom."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from latentmem.base.errors import InputError


class Read(NamedTuple):
  """A history that the base reads: its tokens, 0 for none, and of how many people, the first; 0 for all."""

  tokens: int
  people: int = 0

  @property
  def page(self) -> str:
    """Name of the file that keeps its scores."""
    return f'history-{self.tokens}{f"-of-{self.people}" if self.people else ""}.json'

  def asks(self, person: int) -> bool:
    """Whether questions of this person are asked."""
    return not self.people or person < self.people


def named(names: list[str]) -> list[Read]:
  """Of '1024' or, of the first four people, '1024:4', in their order, the question alone first.

  Raises InputError for what is neither.
  """
  found = {Read(0)}
  for each in names:
    tokens, colon, people = each.partition(':')
    if not tokens.isdecimal() or colon and not (people.isdecimal() and int(people) and int(tokens)):
      raise InputError('--histories takes numbers of tokens, behind a colon of how many people they are read, as in '
                       f'1024 or 1024:4, not {each!r}.')
    found.add(Read(int(tokens), int(people or 0)))
  return sorted(found)


def check(reads: Collection[Read], people: int, asked: Collection[int], tell: Callable[[int, int], object]) -> None:
  """Raises InputError where a history names more people than there are, or none who is asked, or has too little room.

  Args:
    asked: The persons who are asked anything.
    tell: (person, tokens) to their history; raises InputError where it does not fit.
  """
  for read in reads:
    if read.people > people:
      raise InputError(f'--histories={read.tokens}:{read.people} is of {read.people} people, and there are {people}.')
    if not any(map(read.asks, asked)):
      raise InputError(f'--histories={read.tokens}:{read.people}: none of the first {read.people} people is asked '
                       'anything; more people would do, or more held-out questions.')
  for shortest in sorted(read.tokens for read in reads if read.tokens)[:1]:
    for u in range(people):
      try:
        tell(u, shortest)
      except InputError as error:
        raise InputError(f'--histories={shortest} is too short for person {u}: {error}') from None
