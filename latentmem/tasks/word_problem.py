"""The word problem of a group: after every element, what is the product so far?

    x1       x2         x3       ...     read
    x1       x1 x2      x1 x2 x3 ...     asked, at every token

Merrill, Petty & Sabharwal 2024 (arXiv 2404.08819). In S5 and A5, which are not solvable, following the product is as
hard as any problem of NC1; Z60, S3 and S4 are solvable.

An element is a token: permutations in the order of their one-line forms, numbers of Z60 as they are; 0 is the neutral
one. x y means x first, then y.
"""

import dataclasses
import functools
import itertools

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.tasks import answers, interface

GROUPS = ('S3', 'S4', 'S5', 'A5', 'Z60')
INPUTS = ('all', 'generators')


@dataclasses.dataclass(frozen=True)
class WordProblem(interface.Base):
  """Running products.

  Attributes:
    group: One of S3, S4, S5, A5, Z60.
    length: Elements in an example. Trained at one, tested at longer.
    inputs: 'all' draws any element; 'generators' one of two: a transposition and the long cycle in S3, S4, S5, a cycle
      of three and one of five in A5, 1 and -1 in Z60.
    shortest: Training examples are of every length from here to `length`, the rest padded behind them; 0 fills `length`
      always, as held-out ones do.
    grow: Training examples over which the longest grows from 1 element to `length`; 0 is at `length` from the start.
  """

  group: str = 'S5'
  length: int = 32
  inputs: str = 'all'
  shortest: int = 0
  grow: int = 0

  def __post_init__(self):
    for name, choices in (('group', GROUPS), ('inputs', INPUTS)):
      check_known(getattr(self, name), choices, 'word_problem', name)
    if self.length < 1 or not 0 <= self.shortest <= self.length or self.grow < 0:
      raise InputError(f'word_problem needs length >= 1, shortest from 0 to length and grow >= 0; it got '
                       f'length={self.length}, shortest={self.shortest}, grow={self.grow}.')

  @property
  def vocab(self) -> int:
    """Elements of the group."""
    return len(table(self.group))

  def hardest(self):
    return dataclasses.replace(self, shortest=0, grow=0)

  def draw(self, rng):
    return self._up_to(self.length, rng)

  def draw_at(self, rng, i):
    return self._up_to(min(self.length, 1 + self.length * i // self.grow) if self.grow else self.length, rng)

  def _up_to(self, longest, rng):
    size = int(rng.integers(min(self.shortest, longest), longest + 1)) if self.shortest else longest
    choices = np.arange(self.vocab) if self.inputs == 'all' else np.asarray(generators(self.group))
    tokens_T, targets_T = np.zeros((2, self.length), np.int32)
    tokens_T[:size] = rng.choice(choices, size)
    product, products = table(self.group), 0
    for t in range(size):
      targets_T[t] = products = product[products, tokens_T[t]]
    return interface.Example(tokens_T, targets_T, (np.arange(self.length) < size).astype(np.float32))

  def scorer(self):
    return answers.Answers()


@functools.cache
def elements(group: str) -> list[tuple[int, ...]]:
  """The permutations of a group, in the order of their tokens."""
  every = itertools.permutations(range(int(group[1:])))
  return [p for p in every if group[0] == 'S' or not odd(p)]


def odd(p: tuple[int, ...]) -> bool:
  """Whether a permutation has an odd number of inversions."""
  return sum(a > b for a, b in itertools.combinations(p, 2)) % 2 == 1


@functools.cache
def table(group: str) -> np.ndarray:
  """The product x y at [x, y]."""
  if group[0] == 'Z':
    order = int(group[1:])
    return np.add.outer(np.arange(order), np.arange(order)) % order
  number = {p: i for i, p in enumerate(elements(group))}
  return np.array([[number[tuple(y[i] for i in x)] for y in number] for x in number])


def generators(group: str) -> tuple[int, int]:
  """Two elements whose products are all there are."""
  if group[0] == 'Z':
    return 1, int(group[1:]) - 1
  degree = int(group[1:])
  cycle = lambda size: tuple((i + 1) % size if i < size else i for i in range(degree))
  return tuple(elements(group).index(cycle(size)) for size in ((2, degree) if group[0] == 'S' else (3, degree)))
