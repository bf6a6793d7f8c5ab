"""Questions about scenes that one model sees and another is asked about.

    first red circle small column-0 row-2  then blue square large column-3 row-1  ...     the scene, 6 tokens a sighting
    side red blue   later red blue   went red ?   half red ?   count circle ?   what red shape     read, 3 tokens each
               left            above      stayed      left            3                 circle     asked, at their ends

O objects of as many colours stand on a grid of G x G and are seen twice, at a first moment and then, in any order;
some have moved in between.

  half    on which side of the scene is the red one, at first?                  left, right
  side    on which side of the blue one is the red one, at first?               left, right, above, below
  later   the same, then                                                        left, right, above, below
  went    which way has the red one gone?                                       left, right, above, below, stayed
  count   how many are circles (squares, small, large)?                         0 to O
  what    which shape (size) is the red one?                                    circle, square (small, large)

A side is that in which the two are further apart; what is as far in both is not asked about. Whoever has not seen the
scene is right in one case of as many as a question has answers, whatever rule he follows, all questions of a row taken
together: questions are drawn before the scene, and what they rule out is the same for a scene turned or mirrored, which
takes any side to any other; that something stayed has the share of one of its five answers; each number of circles is
as likely, and so then is each shape of any one. `chance` is the mean of these shares over the questions of a row.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.tasks import answers, interface

COLOURS = ('red', 'blue', 'green', 'yellow', 'purple', 'orange', 'white', 'black')
MOMENTS, SIDES, STAYED = ('first', 'then'), ('left', 'right', 'above', 'below'), 'stayed'
KINDS = dict(shape=('circle', 'square'), size=('small', 'large'))
TYPES = ('half', 'side', 'later', 'went', 'count', 'what')
SIGHTING, QUESTION = 6, 3
NOBODY = '?'


class Object(NamedTuple):
  """One object: its colour, shape and size as words, and its (column, row) at both moments."""

  colour: str
  shape: str
  size: str
  places: tuple[tuple[int, int], tuple[int, int]]


class Question(NamedTuple):
  """Its type, what it is about, and the right answer, as words."""

  type: str
  about: tuple[str, str]
  answer: str


@dataclasses.dataclass(frozen=True)
class Scenes(interface.Base):
  """Scenes, each with questions.

  Attributes:
    objects: O, 2 to the number of colours.
    colours: How many there are to choose from.
    grid: G, even.
    questions: In a row, one type after another.
    types: Of `TYPES`; () for all.
    fewest: Training scenes have any number of objects from here to O, each as often, and '?' where sightings are
      missing; 0 for O always, as held-out ones have.
  """

  objects: int = 4
  colours: int = 6
  grid: int = 4
  questions: int = 6
  types: tuple[str, ...] = ()
  fewest: int = 0

  def __post_init__(self):
    object.__setattr__(self, 'types', tuple(np.atleast_1d(self.types).tolist()) or TYPES)
    for each in self.types:
      check_known(each, TYPES, 'scenes', 'type of question')
    if not 2 <= self.objects <= self.colours <= len(COLOURS):
      raise InputError(f'scenes takes 2 objects or more, no more than colours, and up to {len(COLOURS)} colours; it '
                       f'got objects={self.objects}, colours={self.colours}.')
    if self.grid < 2 or self.grid % 2 or self.grid ** 2 < 2 * self.objects:
      raise InputError(f'scenes takes an even grid with a place for each object at either moment, not grid={self.grid} '
                       f'for {self.objects} objects.')
    if self.questions < len(self.types) or self.questions % len(self.types) or (
        self.questions > len(self.types) * self.objects):
      raise InputError(f'scenes asks each of {list(self.types)} as often, and at most once about each object; '
                       f'questions={self.questions} does not.')
    if self.fewest > self.objects:
      raise InputError(f'scenes has fewest={self.fewest} of objects={self.objects}.')
    if self.fewest:
      self._of(self.fewest)

  @functools.cached_property
  def words(self) -> tuple[str, ...]:
    """The vocabulary, in the order of tokens."""
    lines = [f'{line}-{i}' for line in ('column', 'row') for i in range(self.grid)]
    numbers = [str(n) for n in range(self.objects + 1)]
    return (*MOMENTS, *COLOURS[:self.colours], *KINDS['shape'], *KINDS['size'], *lines, *TYPES, *KINDS, NOBODY, *SIDES,
            STAYED, *numbers)

  @functools.cached_property
  def _number(self) -> dict[str, int]:
    return {word: i for i, word in enumerate(self.words)}

  @property
  def vocab(self) -> int:
    return len(self.words)

  @property
  def scene(self) -> int:
    """Tokens of a scene."""
    return 2 * self.objects * SIGHTING

  @property
  def length(self) -> int:
    return self.scene + self.questions * QUESTION

  @property
  def chances(self) -> dict[str, float]:
    """By type, how often whoever has not seen the scene is right."""
    counts = dict(half=2, side=4, later=4, went=5, count=self.objects + 1, what=2)
    return {each: 1 / counts[each] for each in self.types}

  @property
  def chance(self) -> float:
    """The mean over the questions of a row."""
    return float(np.mean([*self.chances.values()]))

  def hardest(self):
    return dataclasses.replace(self, fewest=0)

  def _of(self, objects: int) -> 'Scenes':
    """The task with fewer objects."""
    return dataclasses.replace(self, objects=objects, fewest=0)

  def draw(self, rng):
    return self.example(*self.drawn(rng), rng)

  def draw_at(self, rng, i):
    if not self.fewest:
      return self.draw(rng)
    return self.example(*self._of(int(rng.integers(self.fewest, self.objects + 1))).drawn(rng), rng)

  def drawn(self, rng: np.random.Generator) -> tuple[list[Object], list[Question]]:
    """A scene and questions about it."""
    colours = [COLOURS[i] for i in rng.permutation(self.colours)[:self.objects].tolist()]
    asked = self._asked(colours, rng)
    moves = dict(zip(colours, (rng.random(self.objects) < 0.5).tolist()))
    # Four of five answers are a side.
    moves |= {about[0]: rng.random() < 0.8 for type_, about in asked if type_ == 'went'}
    looks = {kind: _split(of, self.objects, rng) for kind, of in KINDS.items()}
    while True:
      cells = [divmod(cell, self.grid) for cell in rng.permutation(self.grid ** 2)[:2 * self.objects].tolist()]
      objects = [Object(colour, looks['shape'][i], looks['size'][i],
                        (cells[i], cells[self.objects + i] if moves[colour] else cells[i]))
                 for i, colour in enumerate(colours)]
      by_colour = {each.colour: each for each in objects}
      found = [Question(type_, about, self._answer(type_, about, by_colour)) for type_, about in asked]
      if all(question.answer for question in found):
        return objects, found

  def _asked(self, colours: list[str], rng) -> list[tuple[str, tuple[str, str]]]:
    """Types and what they are about; no two of a type are about the same object first."""
    order = rng.random((len(self.types), self.objects)).argsort(1).tolist()
    others = rng.integers(1, self.objects, self.questions).tolist()
    looks = rng.integers(2, size=(self.questions, 2)).tolist()
    asked = []
    for i, (other, (kind, which)) in enumerate(zip(others, looks)):
      turn, which_type = divmod(i, len(self.types))
      at, type_, kind = order[which_type][turn], self.types[which_type], tuple(KINDS)[kind]
      second = colours[(at + other) % self.objects] if type_ in ('side', 'later') else (
          kind if type_ == 'what' else NOBODY)
      asked.append((type_, (KINDS[kind][which] if type_ == 'count' else colours[at], second)))
    return asked

  def _answer(self, type_: str, about: tuple[str, str], by_colour: dict[str, Object]) -> str | None:
    """The right answer; None where there is not one alone."""
    if type_ == 'count':
      return str(sum(about[0] in (each.shape, each.size) for each in by_colour.values()))
    one = by_colour[about[0]]
    if type_ == 'what':
      return getattr(one, about[1])
    if type_ == 'half':
      return SIDES[one.places[0][0] >= self.grid // 2]
    if type_ == 'went':
      return STAYED if one.places[0] == one.places[1] else side(one.places[1], one.places[0])
    moment = type_ == 'later'
    return side(one.places[moment], by_colour[about[1]].places[moment])

  def example(self, objects: list[Object], asked: list[Question], rng: np.random.Generator) -> interface.Example:
    """The row of a scene, its sightings in any order, and of questions about it."""
    seen = [(MOMENTS[m], each.colour, each.shape, each.size, f'column-{each.places[m][0]}', f'row-{each.places[m][1]}')
            for m in (0, 1) for each in objects]
    seen += [(NOBODY,) * SIGHTING] * (2 * self.objects - len(seen))
    said = [word for i in rng.permutation(len(seen)).tolist() for word in seen[i]]
    said += [word for question in asked for word in (question.type, *question.about)]
    tokens_T = np.array([self._number[word] for word in said], np.int32)
    targets_T, weights_T = np.zeros(self.length, np.int32), np.zeros(self.length, np.float32)
    ends = slice(self.scene + QUESTION - 1, None, QUESTION)
    targets_T[ends], weights_T[ends] = [self._number[question.answer] for question in asked], 1
    return interface.Example(tokens_T, targets_T, weights_T)

  def scorer(self):
    return ByType(self.types, self.words.index(TYPES[0]), self.chance)


def side(of: tuple[int, int], seen_from: tuple[int, int]) -> str | None:
  """On which side something is, by the axis in which the two are further apart; None where they are as far in both."""
  right, down = of[0] - seen_from[0], of[1] - seen_from[1]
  if abs(right) == abs(down):
    return None
  return SIDES[right > 0] if abs(right) > abs(down) else SIDES[2 + (down > 0)]


def _split(kinds: tuple[str, str], objects: int, rng) -> list[str]:
  """A kind for each object, so that each number of the first is as likely."""
  many = int(rng.integers(objects + 1))
  return [kinds[i >= many] for i in rng.permutation(objects).tolist()]


class ByType(answers.Answers):
  """The scores of `Answers`, `accuracy_<type>` of each type of question, and `chance`."""

  def __init__(self, types: tuple[str, ...], first: int, chance: float):
    """`first` is the token of the first of TYPES."""
    super().__init__()
    self._types, self._first, self._chance = types, first, chance
    self._before_B2 = np.zeros((0, QUESTION - 1), int)

  def add(self, batch, nats_BT, predicted_BT=None):
    super().add(batch, nats_BT, predicted_BT)
    tokens_BT, asked_BT = np.asarray(batch['tokens_BT']), np.asarray(batch['weights_BT']) > 0
    if len(self._before_B2) != len(tokens_BT):
      self._before_B2 = np.zeros((len(tokens_BT), QUESTION - 1), int)
    # A question's type stands before its end, in the batch before where it begins one.
    whole_BT = np.concatenate([self._before_B2, tokens_BT], 1)
    self._before_B2 = whole_BT[:, 1 - QUESTION:]
    type_BT = whole_BT[:, :tokens_BT.shape[1]] - self._first
    right_BT = np.asarray(predicted_BT) == np.asarray(batch['targets_BT'])
    tally = lambda which_BT: np.bincount(type_BT[which_BT], minlength=len(TYPES))
    self.count(asked_by_type=tally(asked_BT), right_by_type=tally(asked_BT & right_BT))

  def result(self):
    empty = np.zeros(len(TYPES))
    right, asked = (self.counts.get(name, empty) for name in ('right_by_type', 'asked_by_type'))
    shares = {f'accuracy_{each}': interface.ratio(right[TYPES.index(each)], asked[TYPES.index(each)])
              for each in self._types}
    return super().result() | shares | dict(chance=self._chance)
