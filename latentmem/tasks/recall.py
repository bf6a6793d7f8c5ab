"""Multi-query associative recall: pairs of key and value, then some keys again; what was the value?

    k1 v1 k2 v2 ... kD vD   x k2 x x x k1 x ...      read
     .  .  .  . ...  .  .   . v2 . . .  v1 . ...     asked, at the key; the value is never shown again

Arora et al. 2023, Zoology (arXiv 2312.04927), with the parameters of its reference implementation (`multiquery_ar`):
keys from [1, V/2), values from [V/2, V), each without replacement; each key is asked once, in a slot of two tokens;
slots are drawn without replacement with p(s) ~ a s^(a-1), s = 1, 2, ..., so most keys come soon after the pairs and a
few late.

N tokens, D pairs, V vocabulary, S slots.
"""

import dataclasses
import functools

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import answers, interface


@dataclasses.dataclass(frozen=True)
class Recall(interface.Base):
  """Associative recall.

  Attributes:
    vocab: V.
    length: N, even.
    pairs: D; each pass takes 2 D tokens and the questions at least 2 D more.
    power: a of the slots' power law; 1 is uniform.
    random_non_queries: Whether places that ask nothing hold any token of the vocabulary (True, the default of the newer
      configurations) or 0 (the figures of 2023).
    passes: Times the pairs are shown, one after another.
    blocks: A power of two. Training examples come in 1, 2, 4, ... or this many blocks, each as often; a block shows its
      share of the pairs, then asks for them. Held-out examples come in one block, which is zoology's task.
  """

  vocab: int = 8192
  length: int = 256
  pairs: int = 64
  power: float = 0.01
  random_non_queries: bool = True
  passes: int = 1
  blocks: int = 1

  def __post_init__(self):
    if self.pairs < 1 or self.passes < 1 or self.power <= 0:
      raise InputError(f'recall needs pairs >= 1, passes >= 1 and power > 0; '
                       f'it got pairs={self.pairs}, passes={self.passes}, power={self.power}.')
    least = 2 * self.pairs * (self.passes + 1)
    if self.length % 2 or self.length < least:
      raise InputError(f'recall of {self.pairs} pairs shown {self.passes} times needs an even length of at least '
                       f'{least}; length is {self.length}.')
    if self.vocab // 2 - 1 < self.pairs:
      raise InputError(f'recall of {self.pairs} pairs needs a vocab of at least {2 * self.pairs + 2}; '
                       f'vocab is {self.vocab}.')
    power_of_two = self.blocks > 0 and self.blocks & (self.blocks - 1) == 0
    if not power_of_two or self.pairs % self.blocks or self.length % (2 * self.blocks):
      raise InputError(f'recall comes in 1, 2, 4, 8, ... blocks that divide its pairs and half its length; it got '
                       f'blocks={self.blocks} with pairs={self.pairs} and length={self.length}.')

  def hardest(self):
    return dataclasses.replace(self, blocks=1)

  def draw(self, rng):
    half = self.vocab // 2
    blocks = 2 ** int(rng.integers(self.blocks.bit_length())) if self.blocks > 1 else 1
    keys_D = 1 + rng.choice(half - 1, self.pairs, replace=False)
    values_D = half + rng.choice(self.vocab - half, self.pairs, replace=False)
    drawn = [self._block(rng, self.length // blocks, *pairs)
             for pairs in zip(np.split(keys_D, blocks), np.split(values_D, blocks))]
    return interface.Example(*(np.concatenate(parts) for parts in zip(*drawn)))

  def _block(self, rng, length, keys_D, values_D):
    """tokens, targets and weights of some pairs and their questions."""
    shown = 2 * len(keys_D) * self.passes
    p_S = slot_rates((length - shown) // 2, self.power)
    # The D first of S exponential clocks with rates p, in their order, are D draws without replacement.
    slots_D = np.argsort(rng.standard_exponential(len(p_S)) / p_S)[:len(keys_D)]
    asked_D = shown + 2 * slots_D

    if self.random_non_queries:
      tokens_T = rng.integers(self.vocab, size=length, dtype=np.int32)
    else:
      tokens_T = np.zeros(length, np.int32)
    tokens_T[0:shown:2] = np.tile(keys_D, self.passes)
    tokens_T[1:shown:2] = np.tile(values_D, self.passes)
    tokens_T[asked_D] = keys_D
    targets_T, weights_T = np.zeros(length, np.int32), np.zeros(length, np.float32)
    targets_T[asked_D], weights_T[asked_D] = values_D, 1
    return tokens_T, targets_T, weights_T

  def scorer(self):
    return answers.Answers()


@functools.cache
def slot_rates(slots: int, power: float) -> np.ndarray:
  """Probability of each slot, [S]."""
  p_S = np.arange(1, slots + 1) ** (power - 1.0)
  return p_S / p_S.sum()
