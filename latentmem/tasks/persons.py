"""Generated persons: a history of dated turns between a user and an assistant, as long as wanted.

    <date> 12 may 2014  <user> i like calm jazz as my music because it is social .  <assistant> noted .
                        <user> what is 4 plus 9 ?  <assistant> 4 plus 9 is 13 .  ...

A person is a pure function of (seed, number, size): persons 4 f to 4 f + 3 are the family f (`person_facts`). The facts
do not depend on how long the history is, so the same questions can be asked of 1K and of 128K tokens; what grows is
what lies between the facts: small talk, and neutral mentions of the same values ('tell me about calm jazz .').
Facts stand anywhere, but for changes, which are told in their order: the later one wins.

`later` tells facts of the same person that the history has not: of other topics, attributes and months, so that none
of the old ones is touched.
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.tasks import person_facts
from latentmem.tasks import persona_words as words
from latentmem.tasks.person_facts import MEMBERS, PARTS, Size, told

IN_A_SESSION = 8
# Days of a history, of 12 months of 28 days, and of what comes later.
SPANS = dict(first=(0, 15 * 336), later=(15 * 336, 20 * 336))
REPLIES = tuple(map(told, ('noted .', 'good to know that .', 'i see , thanks .', 'sounds nice .', 'sure .')))
# Share of small talk that mentions a value of the person's.
MENTIONS = 0.4


class Turn(NamedTuple):
  """What one side says.

  Attributes:
    speaker: 'user' or 'assistant'.
    date: (year, month, day), month and day from 1.
    words: Token numbers, without the mark of the speaker.
    fact: Key of the fact that it tells, or None.
  """

  speaker: str
  date: tuple[int, int, int]
  words: list[int]
  fact: str | None = None

  @property
  def text(self) -> str:
    """In plain English."""
    return words.plain(self.words)

  @property
  def chat(self) -> dict:
    """As chat templates take it."""
    return dict(role=self.speaker, content=self.text)


class History(NamedTuple):
  """Turns, and where in them each fact is told.

  Attributes:
    turns: In their order.
    tokens_T: All their tokens, int32.
    ends: Tokens up to the end of each turn.
    where: Key of a fact to the number of the turn that tells it.
  """

  turns: list[Turn]
  tokens_T: np.ndarray
  ends: list[int]
  where: dict[str, int]

  def evidence(self, question) -> tuple[list[int], int]:
    """Numbers of the turns that answer a question, and the tokens from the end of the last of them to the history's."""
    turns = sorted(self.where[key] for key in question.evidence)
    return turns, len(self.tokens_T) - self.ends[turns[-1]]


def _marked(turns):
  """Each turn's tokens with its marks: the speaker, and the date where it is another than before."""
  before, mark = None, dict(user=words.NUMBER[words.USER], assistant=words.NUMBER[words.ASSISTANT])
  for turn in turns:
    yield [*([] if turn.date == before else dated(turn.date)), mark[turn.speaker], *turn.words]
    before = turn.date


def tokens_of(turns) -> np.ndarray:
  """Turns as one sequence of tokens, int32."""
  return np.fromiter(itertools.chain.from_iterable(_marked(turns)), np.int32)


def dated(date: tuple[int, int, int]) -> list[int]:
  """'<date> 12 may 2014'."""
  year, month, day = date
  return words.tokens(f'{words.DATE} {day} {words.MONTHS[month - 1]} {year}')


def _day(n: int) -> tuple[int, int, int]:
  return int(words.YEARS[0]) + n // 336, n % 336 // 28 + 1, n % 28 + 1


@dataclasses.dataclass(frozen=True)
class Person:
  """One person.

  Attributes:
    seed: Of all persons.
    number: Which one.
    size: How many facts.
  """

  seed: int
  number: int
  size: Size = Size()

  @property
  def family(self) -> int:
    return self.number // MEMBERS

  @property
  def member(self) -> int:
    return self.number % MEMBERS

  def groups(self, part: str = 'first') -> list[person_facts.Group]:
    """What there are facts about, in the history ('first') or in what comes `later`."""
    check_known(part, PARTS, 'a person', 'part')
    return person_facts.groups(self.seed, self.family, self.size, part)

  def facts(self, part: str = 'first') -> dict[str, list[int]]:
    """What is told: key of a fact to its value's token numbers."""
    return {f'{group.name}/{role}': value for group in self.groups(part)
            for role, value in enumerate(_told_values(group, self.member))}

  def history(self, tokens: int = 1024, only: frozenset[str] = frozenset()) -> History:
    """All facts of the first part, in at most so many tokens and a few less. Raises InputError where that is too few.

    `only` are keys of facts: these are told, with those that must be told in one order with them, and no others, and
    nothing is mentioned in small talk. What is returned is kept for the next call and not to be changed.
    """
    return _history(self, 'first', tokens, 0, only)

  def later(self, turns: int = 1000) -> History:
    """So many turns, rounded up to a reply, that tell all facts of the later part and touch none of the first."""
    return _history(self, 'later', 0, turns, frozenset())


@functools.lru_cache(maxsize=64)
def _history(person: Person, part: str, tokens: int, turns: int, only: frozenset[str]) -> History:
  rng = np.random.default_rng((person.seed, person.number, 1 + PARTS.index(part), tokens, turns))
  draws = person_facts.Draws(rng)
  strands = _strands(person, part, only, draws)
  facts = [(fact.words, draws.pick(REPLIES), fact.key) for strand in strands for fact in strand]
  # A fact told again in its change does not make its value likelier to be talked about.
  known = [(group.subject, value) for group in person.groups(part) for value in _told_values(group, person.member)
           if not only]
  talk = _talk(draws, known, tokens - sum(map(_cost, facts)), len(facts), -(-turns // 2) - len(facts), tokens > 0)
  exchanges = _placed(rng, draws, strands, facts, talk)
  sessions = -(-len(exchanges) // IN_A_SESSION)
  first, end = SPANS[part]
  days = np.sort(rng.choice(np.arange(first, end), sessions, replace=sessions > end - first)).tolist()
  said, where = [], {}
  for i, (asked, reply, key) in enumerate(exchanges):
    date = _day(days[i // IN_A_SESSION])
    if key:
      where[key] = len(said)
    said += [Turn('user', date, asked, key), Turn('assistant', date, reply)]
  marked = list(_marked(said))
  ends = list(itertools.accumulate(map(len, marked)))
  return History(said, np.fromiter(itertools.chain.from_iterable(marked), np.int32, ends[-1]), ends, where)


def _strands(person, part, only, draws):
  """Facts in their order, those of `only` and what must be told with them, or all."""
  about = {key.rpartition('/')[0] for key in only}
  return [strand for group in person.groups(part) if not only or group.name in about
          for strand in person_facts.strands(group, person.member, draws)
          if not only or any(fact.key in only for fact in strand)]


def longest(person: Person, only: frozenset[str] = frozenset()) -> int:
  """Tokens that a history needs for a person's facts, or for `only` these, however they are worded."""
  facts = [fact for strand in _strands(person, 'first', only, _Longest()) for fact in strand]
  return (sum(_cost((fact.words, max(REPLIES, key=len))) for fact in facts)
          + len(dated((2010, 1, 1))) * -(-len(facts) // IN_A_SESSION))


def least_tokens(size: Size) -> int:
  """Tokens that a history needs for the facts of any person of a size, however they are worded."""
  person = Person(0, 0, size)
  # 'my job' is three tokens shorter than 'the job of my sister'.
  return longest(person) + 3 * sum(group.holders.count('i') for group in person.groups())


class _Longest:
  """Draws the longest wording."""

  def pick(self, wordings):
    return max(wordings, key=lambda text: len(text.split()))


def _told_values(group, member):
  roles = 2 if group.kind == 'idea' else len(group.by_member[member])
  return [group.value(member, role) for role in range(roles)]


def _cost(exchange) -> int:
  """Tokens of a turn and its reply, marks included."""
  return 2 + len(exchange[0]) + len(exchange[1])


def _talk(draws, known, room, facts, wanted, by_tokens):
  """Small talk that fills the room in tokens, or so many exchanges of it."""
  talk, header = [], len(dated((2010, 1, 1)))
  sessions = lambda exchanges: -(-exchanges // IN_A_SESSION) * header
  if by_tokens and room < sessions(facts):
    raise InputError(f'A history of these facts takes at least {sessions(facts) - room} tokens more; fewer facts would '
                     'do too.')
  if not by_tokens and wanted < 0:
    raise InputError(f'{facts} facts take at least {2 * facts} turns.')
  while True:
    exchange = _chat(draws, known)
    room -= _cost(exchange)
    if (room < sessions(facts + len(talk) + 1)) if by_tokens else len(talk) == wanted:
      return talk
    talk.append(exchange)


def _placed(rng, draws, strands, facts, talk):
  """Facts anywhere between the talk; those of a strand in their order."""
  by_key = {key: (asked, reply, key) for asked, reply, key in facts}
  turns = draws.sample([i for i, strand in enumerate(strands) for _ in strand], len(facts))
  rest = [iter(strand) for strand in strands]
  order = iter([by_key[next(rest[i]).key] for i in turns])
  count, talk = len(facts) + len(talk), iter(talk)
  holds = np.zeros(count, bool)
  holds[rng.permutation(count)[:len(facts)]] = True
  return [next(order) if fact else next(talk) for fact in holds.tolist()]


def _chat(draws, known):
  """A question or remark that says nothing of the person, and its reply."""
  if known and draws.below(1000) < 1000 * MENTIONS:
    subject, v = draws.pick(known)
    return draws.pick((
        (told('tell me about {v} .', v=v), told('{v} ? good to know that .', v=v), None),
        (told('how do you spell {v} ?', v=v), told('{v} , as you have it .', v=v), None),
        (told('i heard about {v} today .', v=v), told('sounds nice .'), None)))
  which = draws.below(4)
  if which == 0:
    place, weather = draws.pick(words.PLACES), draws.pick(words.WEATHER)
    return told('how is the weather in {p} today ?', p=place), told('it is {w} in {p} .', w=weather, p=place), None
  if which == 1:
    a = draws.below(len(words.DAYS) - 1)
    b = draws.below(len(words.DAYS) - 1 - a)
    names = dict(zip('abc', (words.DAYS[a], words.DAYS[b], words.DAYS[a + b + 1])))
    return told('what is {a} plus {b} ?', **names), told('{a} plus {b} is {c} .', **names), None
  thing = draws.pick(words.THINGS)
  if which == 2:
    return told('remind me to buy {x} .', x=thing), told('sure , done .'), None
  return told('where do you find {x} ?', x=thing), told('i do not know .'), None
