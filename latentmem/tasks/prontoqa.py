"""Deduction in the manner of ProntoQA (Saparov and He 2023, arXiv 2210.01240): does what is said of someone follow?

  Every lempus is a yumpus. ... Every bompus is not bright. Tom is a lempus. True or false : Tom is bright ?
  Tom is a yumpus. ... Tom is a bompus. Tom is not bright.   |   False

Beside the chain of `hops` from the person to the property stands a second one, which nobody is, and which says the
opposite of the same property as deep down. Each thing of both is also something that leads nowhere. So neither the
words nor their number tell the answer.
"""

import dataclasses

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import chains
from latentmem.tasks.prosqa import PEOPLE, THINGS

PROPERTIES = '''amber angry bitter brave bright brown calm cold dull earthy feisty fruity happy hot kind large liquid
  loud luminous mean metallic moderate nervous opaque orange red rainy shy small sour spicy sunny sweet temperate
  transparent wooden'''.split()
TELLING = ('Every', 'is', 'a', 'not', '.', ':', '?', 'True', 'False', 'or', 'false')


@dataclasses.dataclass(frozen=True)
class ProntoQA(chains.Chains):
  """Chains of what everything is.

  Attributes:
    hops: Things from the person's own to the one that has the property, both counted.
  """

  question: int = 136
  rest: int = 48
  hops: int = 5

  def __post_init__(self):
    super().__post_init__()
    if not 1 <= 4 * self.hops <= len(THINGS):
      raise InputError(f'prontoqa takes 1 to {len(THINGS) // 4} hops, not {self.hops}.')

  @property
  def words(self):
    return (*chains.SPECIAL, *TELLING, *PEOPLE, *THINGS, *PROPERTIES)

  def problem(self, rng, heldout=False):
    who, what = str(rng.choice(PEOPLE)), str(rng.choice(PROPERTIES))
    mine, other, *asides = np.array_split(rng.permutation(THINGS)[:4 * self.hops], 4)
    holds, asks = (bool(rng.integers(2)) for _ in range(2))
    has = lambda yes: what if yes else f'not {what}'
    told = [f'Every {a} is a {b} .' for line in (mine, other) for a, b in zip(line[:-1], line[1:])]
    told += [f'Every {a} is a {b} .' for line, aside in zip((mine, other), asides) for a, b in zip(line, aside)]
    told += [f'Every {mine[-1]} is {has(holds)} .', f'Every {other[-1]} is {has(not holds)} .']
    told = [told[i] for i in rng.permutation(len(told))]
    tokens = lambda text: [self.number[word] for word in text.split()]
    return chains.Problem(
        question=tokens(' '.join([*told, f'{who} is a {mine[0]} . True or false : {who} is {has(asks)} ?'])),
        steps=[tokens(f'{who} is a {thing} .') for thing in mine[1:]] + [tokens(f'{who} is {has(holds)} .')],
        answer=tokens('True' if holds == asks else 'False'))
