"""Selective copying: say again, in order, the symbols that stood scattered in noise.

    . . b . . . d . a . . c .   ? ? ? ?      read (. noise, ? marker)
                                b d a c      asked, at the markers; the answer is never shown

Gu & Dao 2023, Mamba (arXiv 2312.00752), section 4.1.1: 16 symbols out of a vocabulary of 16 in 4096 tokens. With
`selective=False` the symbols stand together at the start, the copying task of Hochreiter & Schmidhuber 1997 and
Arjovsky et al. 2016 (there with one marker and blanks after it; here every place that asks holds the marker).

Token 0 is noise, 1 the marker, 2 to V - 1 are symbols, drawn uniformly with replacement.
"""

import dataclasses

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import answers, interface

NOISE, MARKER, FIRST = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Copying(interface.Base):
  """Copying, selective or plain.

  Attributes:
    vocab: V, with noise and marker.
    length: Tokens in all: a stretch of noise with the symbols in it, then one marker a symbol.
    symbols: How many to copy.
    selective: Whether symbols stand at random places of the stretch (the noise is to be ignored) or at its start.
  """

  vocab: int = 16
  length: int = 256
  symbols: int = 16
  selective: bool = True

  def __post_init__(self):
    if self.vocab <= FIRST:
      raise InputError(f'copying needs a vocab of at least {FIRST + 1}; vocab is {self.vocab}.')
    if self.symbols < 1 or self.length < 2 * self.symbols:
      raise InputError(f'copying {self.symbols} symbols needs symbols >= 1 and a length of at least '
                       f'{2 * self.symbols}; length is {self.length}.')

  def draw(self, rng):
    stretch = self.length - self.symbols
    symbols = rng.integers(FIRST, self.vocab, self.symbols, dtype=np.int32)
    places = np.sort(rng.choice(stretch, self.symbols, replace=False)) if self.selective else np.arange(self.symbols)
    tokens_T, targets_T = np.full((2, self.length), NOISE, np.int32)
    tokens_T[places], tokens_T[stretch:] = symbols, MARKER
    targets_T[stretch:] = symbols
    return interface.Example(tokens_T, targets_T, (np.arange(self.length) >= stretch).astype(np.float32))

  def scorer(self):
    return answers.Answers()
