"""Questions dozens of turns later: facts, preferences and plans are told, some are changed, then asked about.

    <user> you know , rome is sister home    <assistant> i see , that is good .                      told, early
    <user> by now , oslo is sister home      <user> you know , kiev is often named                   changed, or not
    <user> well it may well rain today       ...                                                     chatter
    <user> bern rome kiev oslo ? sister home                                                         asked, at its end:
                                        oslo                                                         the last that held

A topic is a holder and a kind (home, dish, trip: `KINDS`). For each, one value is told early; in the middle another
of the same kind either takes its place or is merely named, each in half of the cases. A question offers both, and both
of another holder's topic of that kind, in any order, so that an old value or a value of somebody else is always among
the wrong ones. Nothing that was answered is shown.

Each option has been mentioned once, if all topics are told of. The one that was mentioned last, or first, and the one
at any place are right in one of four cases, and so is any that is drawn from the options alone. (Who knows what holds,
but not of whom, is right in one of two.) User and assistant take turns, all turns have as many tokens, and where in its
part of the dialogue a topic comes up is drawn. `gap` turns lie between the last mention of a value and the first
question: who sees no further is at chance.

Held-out dialogues are of other persons: a quarter or so of the pairs of an early and a later value, evenly over both,
are theirs alone, and training has none of them.
"""

import dataclasses
import functools
import itertools

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import answers, interface

HOLDERS = ('sister', 'brother', 'mother', 'father', 'uncle', 'aunt')
# Of facts, preferences and plans.
KINDS = dict(
    home=('rome', 'oslo', 'kiev', 'bern', 'lima', 'cairo', 'delhi', 'paris', 'quito', 'riga', 'sofia', 'tunis'),
    dish=('soup', 'rice', 'fish', 'cake', 'pasta', 'salad', 'curry', 'bread', 'beans', 'stew', 'pizza', 'toast'),
    trip=('alps', 'coast', 'desert', 'forest', 'island', 'lake', 'valley', 'river', 'canyon', 'fjord', 'steppe', 'bay'),
)
TURN, OPTIONS = 8, 4
TOLD, CHANGED, NAMED = '<user> you know , {v} is {h} {k}', '<user> by now , {v} is {h} {k}', (
    '<user> you know , {v} is often named')
ASKED = '<user> {a} {b} {c} {d} ? {h} {k}'
CHATTER = ('<user> well it may well rain today .', '<user> remind me to sleep early now .',
           '<user> what a long day it was .', '<user> so i have to go now .')
REPLIES = ('<assistant> i see , that is good .', '<assistant> all right , so it is .',
           '<assistant> sure , let us go on .')
# Differences of the numbers of a later and an early value, modulo this, that held-out dialogues have.
APART, HELDOUT = 4, 1


@dataclasses.dataclass(frozen=True)
class Dialogue(interface.Base):
  """Dialogues of turns.

  Attributes:
    turns: Of user and assistant together, even.
    holders: How many there are in a dialogue, 2 or more, each with a topic of every kind.
    about: Topics that are told of, drawn from these; 0 for all.
    questions: Of the last turns of the user, no more than topics.
    gap: Turns between what is told and what is asked, even, at least.
    parts: Training rows are one dialogue, or 2, 4, ... up to so many short ones of other persons each, as often. With
      little told it is easy to find, and what a value is can be learned before how the right one is found. Those of n
      exchanges tell and ask of n / 4 topics, without a gap.
  """

  turns: int = 64
  holders: int = 2
  about: int = 0
  questions: int = 6
  gap: int = 24
  parts: int = 1

  def __post_init__(self):
    if not 2 <= self.holders <= min(len(HOLDERS), len(KINDS['home']) // 4):
      raise InputError(f'dialogue takes 2 to {min(len(HOLDERS), len(KINDS["home"]) // 4)} holders, not {self.holders}.')
    if not 0 <= self.about <= self.holders * len(KINDS):
      raise InputError(f'{self.holders} holders of dialogue have {self.holders * len(KINDS)} topics; it got '
                       f'about={self.about}.')
    if not 1 <= self.questions <= self.topics:
      raise InputError(f'dialogue asks at most once about each of {self.topics} topics, not {self.questions} times.')
    least = 2 * (2 * self.topics + self.questions) + self.gap
    if self.turns % 2 or self.gap % 2 or self.gap < 0 or self.turns < least:
      raise InputError(f'dialogue takes even numbers of turns and of gap, and {least} turns or more for '
                       f'{self.topics} topics, {self.questions} questions and a gap of {self.gap}; it got '
                       f'turns={self.turns}.')
    if self.parts < 1 or self.parts & self.parts - 1 or self.turns % (2 * self.parts) or self.turns < 8 * self.parts:
      raise InputError(f'dialogue takes 1, 2, 4, ... parts of an even number of turns, 8 or more; it got '
                       f'parts={self.parts} of turns={self.turns}.')

  @property
  def topics(self) -> int:
    return self.about or self.holders * len(KINDS)

  @property
  def vocab(self) -> int:
    return len(words())

  @property
  def length(self) -> int:
    return self.turns * TURN

  @property
  def document(self) -> int:
    return self.length // self.parts

  @property
  def chance(self) -> float:
    """Of any rule; where not all topics are told, only those of the other holder that are can be mistaken for it."""
    told = (self.topics - 1) / (self.holders * len(KINDS) - 1)
    return told / OPTIONS + (1 - told) / 2

  def hardest(self):
    return dataclasses.replace(self, parts=1)

  def draw(self, rng):
    return self._example(rng, heldout=True)

  def draw_at(self, rng, i):
    return self._example(rng, heldout=False)

  def documents_at(self, rng, i):
    parts = interface.drawn_parts(rng, self.parts)
    short = self._short(parts)
    return [short.draw_at(rng, i) for _ in range(parts)]

  def _short(self, parts: int) -> 'Dialogue':
    """The task whose dialogues are such a part of a row."""
    turns = self.turns // parts
    topics = min(self.topics, turns // 8)
    shorter = dict(turns=turns, about=topics, questions=topics, gap=0) if parts > 1 else {}
    return dataclasses.replace(self, parts=1, **shorter)

  def _example(self, rng, heldout: bool) -> interface.Example:
    holders = [HOLDERS[i] for i in rng.permutation(len(HOLDERS))[:self.holders]]
    topics = list(itertools.product(range(self.holders), KINDS))
    topics = [topics[i] for i in rng.permutation(len(topics))[:self.topics]]
    early, later = {}, {}
    for kind in KINDS:
      for h, (first, second) in enumerate(pairs(rng, len(KINDS[kind]), self.holders, heldout)):
        early[h, kind], later[h, kind] = KINDS[kind][first], KINDS[kind][second]
    changed = dict(zip(topics, (rng.random(len(topics)) < 0.5).tolist()))
    shuffled = lambda: [topics[i] for i in rng.permutation(len(topics))]
    say = lambda form, value, h, kind: form.format(v=value, h=holders[h], k=kind)
    first = [say(TOLD, early[topic], *topic) for topic in shuffled()]
    second = [say(CHANGED if changed[topic] else NAMED, later[topic], *topic) for topic in shuffled()]
    last, right = [], []
    for h, kind in shuffled()[:self.questions]:
      other = (h + int(rng.integers(1, self.holders))) % self.holders
      options = [said[who, kind] for who in (h, other) for said in (early, later)]
      a, b, c, d = (options[i] for i in rng.permutation(OPTIONS))
      last.append(ASKED.format(a=a, b=b, c=c, d=d, h=holders[h], k=kind))
      right.append((later if changed[h, kind] else early)[h, kind])
    return self._row(self._spread(rng, first, second) + last, right, rng)

  def _spread(self, rng, first: list[str], second: list[str]) -> list[str]:
    """What the user says before any question: both parts, each in a half of what is not the gap, chatter between."""
    room = (self.turns - self.gap) // 2 - self.questions
    said = []
    for part, size in ((first, room - room // 2), (second, room // 2)):
      places = sorted(rng.permutation(size)[:len(part)].tolist())
      at = dict(zip(places, part))
      said += [at.get(i) or CHATTER[int(rng.integers(len(CHATTER)))] for i in range(size)]
    return said + [CHATTER[i] for i in rng.integers(len(CHATTER), size=self.gap // 2).tolist()]

  def _row(self, said: list[str], right: list[str], rng) -> interface.Example:
    """The tokens of a dialogue; its last turns of the user ask."""
    replies = rng.integers(len(REPLIES), size=len(said)).tolist()
    number = numbers()
    text = [word for turn, i in zip(said, replies) for word in (*turn.split(), *REPLIES[i].split())]
    tokens_T = np.array([number[word] for word in text], np.int32)
    targets_T, weights_T = np.zeros(self.length, np.int32), np.zeros(self.length, np.float32)
    asked = slice(self.length - 2 * TURN * len(right) + TURN - 1, None, 2 * TURN)
    targets_T[asked], weights_T[asked] = [number[word] for word in right], 1
    return interface.Example(tokens_T, targets_T, weights_T)

  def scorer(self):
    return answers.Answers()


def pairs(rng: np.random.Generator, values: int, count: int, heldout: bool) -> list[tuple[int, int]]:
  """So many pairs of an early and a later value, all of them different, from the half that is held out or the other."""
  steps = [d for d in range(1, values) if (d % APART == HELDOUT) == heldout]
  while True:
    firsts = rng.permutation(values)[:count].tolist()
    found = [(a, (a + steps[i]) % values) for a, i in zip(firsts, rng.integers(len(steps), size=count).tolist())]
    if len({value for pair in found for value in pair}) == 2 * count:
      return found


@functools.cache
def words() -> tuple[str, ...]:
  """The vocabulary, in the order of tokens."""
  forms = ' '.join((TOLD, CHANGED, NAMED, ASKED, *CHATTER, *REPLIES)).split()
  plain = [word for word in forms if not word.startswith('{')]
  return tuple(dict.fromkeys((*plain, *HOLDERS, *KINDS, *itertools.chain(*KINDS.values()))))


@functools.cache
def numbers() -> dict[str, int]:
  """The token of each word."""
  return {word: i for i, word in enumerate(words())}
