"""One person's memory outside of any table: its numbers, and the items that were written into them.

An item is a question and its answer, or a text alone. The items are what makes a memory open: they can be read, changed
and taken away, and they are rehearsed whenever something is written, so that what is new does not push out the old.
Q tokens of a question, A tokens of an answer, I items.
"""

import dataclasses
import json
import re
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING


class Item(NamedTuple):
  """Something to remember.

  Attributes:
    question: Token numbers; none for a text alone.
    answer: Token numbers: what is read first (a mark), then what is to be said.
  """

  question: tuple[int, ...]
  answer: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Fits:
  """What a memory belongs to: without the same base and projection its numbers mean nothing.

  Attributes:
    adapter: Kind and fields.
    base: Fingerprint of the frozen base.
    shared: Fingerprint of what all people share.
    shapes: Of a person's arrays, by name.
    vocab: Of the base.
    question, answer: Q and A, the most tokens of either.
  """

  adapter: dict
  base: str
  shared: str
  shapes: dict[str, tuple[int, ...]]
  vocab: int
  question: int
  answer: int


@dataclasses.dataclass(frozen=True)
class Profile:
  """A person's memory.

  Attributes:
    name: The person's.
    arrays: Its numbers, by name.
    items: What was written into them.
    version: How often it was kept; 0 where it never was.
  """

  name: str
  arrays: dict[str, np.ndarray]
  items: tuple[Item, ...] = ()
  version: int = 0

  def without(self, number: int) -> 'Profile':
    """The profile with item `number` taken away from what is rehearsed."""
    self._check(number)
    return dataclasses.replace(self, items=self.items[:number] + self.items[number + 1:])

  def item(self, number: int) -> Item:
    """Item `number`. Raises InputError where there is none."""
    self._check(number)
    return self.items[number]

  def edited(self, number: int, answer: tuple[int, ...]) -> 'Profile':
    """The profile with another answer in item `number`. Its numbers change where it is written again."""
    items = list(self.items)
    items[number] = self.item(number)._replace(answer=tuple(answer))
    return dataclasses.replace(self, items=tuple(items))

  def _check(self, number: int) -> None:
    if not 0 <= number < len(self.items):
      raise InputError(f'{self.name} has no item {number}; there are {len(self.items)}, counted from 0.')


def check_item(item: Item, fits: Fits, where: str = 'An item') -> Item:
  """The item. Raises InputError where it is too long, says nothing, or has numbers that are no tokens."""
  if len(item.question) > fits.question or not 2 <= len(item.answer) <= fits.answer:
    raise InputError(f'{where} has a question of {len(item.question)} tokens and an answer of {len(item.answer)}; '
                     f'there is room for {fits.question} and {fits.answer}, and an answer has 2 or more: what is read '
                     'first, and what is to be said.')
  wrong = [t for t in (*item.question, *item.answer) if not 0 <= t < fits.vocab]
  if wrong:
    raise InputError(f'{where} has the token {wrong[0]}, and the base has {fits.vocab}.')
  return item


def packed(profile: Profile, fits: Fits) -> tuple[dict, dict]:
  """(arrays, notes) as `bank.format` keeps them."""
  lay = lambda rows, width: np.array([[*row, *[NOTHING] * (width - len(row))] for row in rows], np.int32).reshape(
      len(rows), width)
  held = {f'memory/{name}': np.asarray(array, np.float32) for name, array in profile.arrays.items()}
  held['items/questions'] = lay([item.question for item in profile.items], fits.question)
  held['items/answers'] = lay([item.answer for item in profile.items], fits.answer)
  return held, dict(what='profile', name=profile.name, profile_version=str(profile.version), base=fits.base,
                    shared=fits.shared, adapter=json.dumps(fits.adapter, sort_keys=True))


def unpacked(path, held: dict, notes: dict, fits: Fits) -> Profile:
  """The profile in a file. Raises InputError where it is none, belongs elsewhere, or holds what cannot be."""
  if notes.get('what') != 'profile' or not {'name', 'profile_version', 'adapter'} <= notes.keys():
    raise InputError(f"{path} is no profile: its notes do not call it one.")
  if notes['adapter'] != json.dumps(fits.adapter, sort_keys=True):
    raise InputError(f'{path} is a profile of the adapter {notes["adapter"]}, not {json.dumps(fits.adapter)}.')
  for what, mine in (('base', fits.base), ('shared', fits.shared)):
    if notes.get(what) != mine:
      raise InputError(f'{path} is a profile of another {dict(base="base", shared="projection")[what]} (fingerprint '
                       f'{str(notes.get(what))[:12]}, here {mine[:12]}); its numbers mean nothing here.')
  own = {name.removeprefix('memory/'): array for name, array in held.items() if name.startswith('memory/')}
  shapes = {name: array.shape for name, array in own.items()}
  if shapes != fits.shapes or set(held) - {f'memory/{name}' for name in own} != {'items/questions', 'items/answers'}:
    raise InputError(f'{path} does not hold what a profile here holds: {shapes}, not {fits.shapes}, and items.')
  if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in own.values()):
    raise InputError(f'{path} holds numbers that are not finite, or not float32.')
  if not re.fullmatch('[0-9]{1,9}', notes['profile_version']):
    raise InputError(f'{path} has the profile version {notes["profile_version"]!r}, which is no number.')
  return Profile(notes['name'], own, _items(path, held, fits), int(notes['profile_version']))


def _items(path, held, fits) -> tuple[Item, ...]:
  columns = held['items/questions'], held['items/answers']
  if any(c.ndim != 2 or c.dtype != np.int32 for c in columns) or len(columns[0]) != len(columns[1]):
    raise InputError(f'{path} has items of shapes {[c.shape for c in columns]}; it takes as many answers as questions.')
  cut = lambda row: tuple(row[row != NOTHING].tolist())
  return tuple(check_item(Item(cut(q), cut(a)), fits, f'{path}, item {i},') for i, (q, a) in enumerate(zip(*columns)))
