"""What is true of generated persons: facts that come in families of four, so that a question alone tells nothing.

A family shares its words: topics, values, reasons, holders, months. Its four members differ in which is which, by Latin
squares: where one has 'calm jazz' as the music of today, the next has it as the one given up, another as the one that
a sister likes. So what is asked of one member can be asked of all four in the same words with the same four options,
and each option is the answer of exactly one of them:

    p(answer = option | question, options) = 1 / 4        for every question, over its family

No rule that ignores the history beats chance over whole families, not even one that remembers every other question
about every person. Squares of different groups are independent, so one answer tells nothing about the next group.

    group        what is told                                                     what the four members share
    preference   a first liking, a change, a value tried in vain, another's       4 values of a topic, 4 reasons
    evolution    three likings in turn                                            3 values, in 4 of their 6 orders
    idea         a liking, a value tried in vain                                  2 kinds, 4 items
    attribute    what four people (the person among them) have                    4 values
    plan         where to travel in four months                                   4 places
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import persona_words as words

MEMBERS = 4
PARTS = ('first', 'later')
# Roles of a preference's four values and reasons.
OLD, NOW, VAIN, OTHER = range(4)


@dataclasses.dataclass(frozen=True)
class Size:
  """How many groups of each kind a person has, and as many again that can be added later."""

  preferences: int = 4
  evolutions: int = 2
  ideas: int = 2
  attributes: int = 2
  plans: int = 1

  def __post_init__(self):
    spare = len(words.ITEMS) // len(PARTS) - 1
    if min(dataclasses.astuple(self)) < 0 or not sum(dataclasses.astuple(self)):
      raise InputError(f'A person needs some facts, and no number of them below 0; it got {self}.')
    if self.topics > spare or self.attributes > len(words.VALUES) // len(PARTS) or self.plans > 1:
      raise InputError(f'A person has at most {spare} preferences, evolutions and ideas together, '
                       f'{len(words.VALUES) // len(PARTS)} attributes and 1 group of plans; it got {self}.')

  @property
  def topics(self) -> int:
    return self.preferences + self.evolutions + self.ideas


class Draws:
  """Uniform draws from a generator, taken from it by the hundred: one at a time would cost more than all the rest."""

  def __init__(self, rng: np.random.Generator):
    self._rng, self._pool = rng, iter(())

  def uniform(self) -> float:
    u = next(self._pool, None)
    if u is None:
      self._pool = iter(self._rng.random(256).tolist())
      u = next(self._pool)
    return u

  def below(self, n: int) -> int:
    return int(self.uniform() * n)

  def pick(self, values):
    return values[self.below(len(values))]

  def sample(self, values, count: int) -> list:
    """`count` of the values, none twice, in any order."""
    left = list(values)
    for i in range(count):
      j = i + self.below(len(left) - i)
      left[i], left[j] = left[j], left[i]
    return left[:count]

  def square(self) -> tuple[tuple[int, ...], ...]:
    """A Latin square of order 4: in each row and each column every number once."""
    return self.pick(_squares())


@functools.cache
def _squares() -> list[tuple[tuple[int, ...], ...]]:
  """All 576 of them."""
  rows, squares = list(itertools.permutations(range(4))), [()]
  for _ in range(4):
    squares = [(*square, row) for square in squares for row in rows
               if all(a != b for above in square for a, b in zip(above, row))]
  return squares


class Fact(NamedTuple):
  """Something true of a person.

  Attributes:
    key: 'kind/subject/role', such as 'preference/music/1'.
    words: How it is told, token numbers.
    mentions: Items and values in it.
  """

  key: str
  words: list[int]
  mentions: list[int]


class Group(NamedTuple):
  """Facts of one family about one subject.

  Attributes:
    kind: 'preference', 'evolution', 'idea', 'attribute' or 'plan'.
    subject: The topic or attribute, a word; of plans the first month.
    values: Shared by the family: each a list of token numbers.
    by_member: Places in `values` by member and role.
    reasons: Token numbers, shared by the family.
    reason_by_member: Places in `reasons` by member and role.
    holders: Whose they are (words), by role: relations, months; of a preference the one who likes the last value.
  """

  kind: str
  subject: str
  values: list[list[int]]
  by_member: list[list[int]]
  reasons: list[int] = []
  reason_by_member: list[list[int]] = []
  holders: list[str] = []

  @property
  def name(self) -> str:
    return f'{self.kind}/{self.subject}'

  def value(self, member: int, role: int) -> list[int]:
    return self.values[self.by_member[member][role]]

  def reason(self, member: int, role: int) -> int:
    return self.reasons[self.reason_by_member[member][role]]


@functools.lru_cache(maxsize=4096)
def subjects(seed: int, family: int) -> tuple[list[str], list[str], list[str]]:
  """Topics, attributes and months in the order in which a family takes them."""
  rng = np.random.default_rng((seed, family))
  return tuple([list(names)[i] for i in rng.permutation(len(names)).tolist()]
               for names in (words.ITEMS, words.VALUES, words.MONTHS))


@functools.lru_cache(maxsize=4096)
def groups(seed: int, family: int, size: Size, part: str) -> list[Group]:
  """A family's groups of facts, first or later: a pure function, whose value is shared and not to be changed."""
  topics, attributes, months = subjects(seed, family)
  draws, skip = Draws(np.random.default_rng((seed, family, PARTS.index(part)))), PARTS.index(part)
  topics = iter(topics[skip * size.topics:])
  months = months[skip * MEMBERS:][:MEMBERS]
  return [*(_preference(draws, next(topics)) for _ in range(size.preferences)),
          *(_evolution(draws, next(topics)) for _ in range(size.evolutions)),
          *(_idea(draws, next(topics)) for _ in range(size.ideas)),
          *(_attribute(draws, name) for name in attributes[skip * size.attributes:][:size.attributes]),
          *(_plan(draws, months) for _ in range(size.plans))]


def never_told(seed: int, family: int, size: Size) -> list[str]:
  """Topics that nobody in the family ever speaks of."""
  return subjects(seed, family)[0][len(PARTS) * size.topics:]


def _numbers(names) -> list[int]:
  return [words.NUMBER[name] for name in names]


def _kind_and_item(draws, topic, count):
  kinds, items = draws.sample(words.KINDS, count), draws.sample(words.ITEMS[topic], count)
  return [_numbers(pair) for pair in zip(kinds, items)]


def _preference(draws, topic):
  return Group('preference', topic, _kind_and_item(draws, topic, 4), draws.square(),
               _numbers(draws.sample(words.REASONS, 4)), draws.square(), [draws.pick(words.RELATIONS)])


def _evolution(draws, topic):
  orders = draws.sample(list(itertools.permutations(range(3))), MEMBERS)
  return Group('evolution', topic, _kind_and_item(draws, topic, 3), orders)


def _idea(draws, topic):
  """Of kinds k, l and items 0 to 3 the family has k0 l1 k2 l3; a member knows 0 and 1 or 2 and 3, and likes k or l.

  Roles: liked, tried in vain, and, never told, the new value of the liked kind.
  """
  kinds, items = draws.sample(words.KINDS, 2), draws.sample(words.ITEMS[topic], 4)
  values = [_numbers((kinds[i % 2], item)) for i, item in enumerate(items)]
  members = [(0, 1, 2), (1, 0, 3), (2, 3, 0), (3, 2, 1)]
  return Group('idea', topic, values, draws.sample(members, MEMBERS))


def _attribute(draws, attribute):
  holders = draws.sample(['i', *words.RELATIONS], 4)
  return Group('attribute', attribute, [[value] for value in _numbers(draws.sample(words.VALUES[attribute], 4))],
               draws.square(), holders=holders)


def _plan(draws, months):
  return Group('plan', months[0], [[place] for place in _numbers(draws.sample(words.PLACES, 4))], draws.square(),
               holders=months)


@functools.cache
def _template(text: str) -> tuple[int | str, ...]:
  return tuple(word if word[0] == '{' else words.NUMBER[word] for word in text.split())


def told(text: str, **slots) -> list[int]:
  """A template's token numbers: '{name}' stands for a list of them, or for one word."""
  out = []
  for part in _template(text):
    if isinstance(part, int):
      out.append(part)
    else:
      filling = slots[part[1:-1]]
      if isinstance(filling, str):
        out.append(words.NUMBER[filling])
      else:
        out.extend(filling)
  return out


def of_holder(attribute: str, holder: str) -> list[int]:
  """'my job', 'the job of my sister'."""
  return told('my {a}', a=attribute) if holder == 'i' else told('the {a} of my {h}', a=attribute, h=holder)


LIKING = ('i like {v} as my {t}', 'for {t} i chose {v}')
CHANGING = ('i changed from {old} to {v} as my {t}', 'i no longer like {old} , my {t} is now {v}')
TRYING = ('for {t} i tried {v} and did not enjoy it', 'i have tried {v} for {t} and did not like it')
OTHERS = ('my {h} likes {v} for {t}', 'the {t} my {h} likes best is {v}')
REASON = 'because it is {r} .'


def strands(group: Group, member: int, draws: Draws) -> list[list[Fact]]:
  """A member's facts of a group, in any of their wordings: lists of those that must be told in their order."""
  value, stop = functools.partial(group.value, member), told('.')

  def fact(role, wordings, reason=False, **slots):
    v = value(role)
    tail = told(REASON, r=[group.reason(member, role)]) if reason else stop
    mentions = [v, *([slots['old']] if 'old' in slots else [])]
    return Fact(f'{group.name}/{role}', told(draws.pick(wordings), v=v, t=group.subject, **slots) + tail, mentions)
  if group.kind == 'preference':
    return [[fact(OLD, LIKING, True), fact(NOW, CHANGING, True, old=value(OLD))], [fact(VAIN, TRYING, True)],
            [fact(OTHER, OTHERS, True, h=group.holders[0])]]
  if group.kind == 'evolution':
    return [[fact(0, LIKING), *(fact(role, CHANGING, old=value(role - 1)) for role in (1, 2))]]
  if group.kind == 'idea':
    return [[fact(0, LIKING)], [fact(1, TRYING)]]
  tell = '{of} is {v} .' if group.kind == 'attribute' else 'in {of} i will travel to {v} .'
  of = lambda holder: of_holder(group.subject, holder) if group.kind == 'attribute' else holder
  return [[Fact(f'{group.name}/{role}', told(tell, of=of(holder), v=value(role)), [value(role)])]
          for role, holder in enumerate(group.holders)]
