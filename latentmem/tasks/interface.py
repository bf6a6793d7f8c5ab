"""What a task is: examples drawn from a generator, and a scorer that counts what came of them.

B batch (rows), T tokens.

A drawn example is a document: it begins at its first token and nothing before it is seen. A row of a batch holds
an example or a piece of one, in training several short ones if the task says so; `reset_BT` says where each begins.
"""

import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np


class Example(NamedTuple):
  """One example, whole.

  Attributes:
    tokens_T: What is read, int32.
    targets_T: What should be said at each token, int32; means nothing where the weight is 0.
    weights_T: 1 where an answer is asked for, float32.
  """

  tokens_T: np.ndarray
  targets_T: np.ndarray
  weights_T: np.ndarray


class Scorer:
  """Sums over batches. `counts` (name to number or array) is all there is, so scorers add up: `merge`."""

  def __init__(self):
    self.counts: dict[str, np.ndarray] = {}

  def add(self, batch: dict, nats_BT: np.ndarray, predicted_BT: np.ndarray | None = None):
    """Counts a batch.

    Args:
      batch: With targets_BT, weights_BT, reset_BT, position_BT and, where a token is not one byte, bytes_BT.
      nats_BT: -log p(target), natural logarithm.
      predicted_BT: The likeliest token at each place.
    """
    raise NotImplementedError

  def result(self) -> dict:
    """The scores by name; a ratio whose denominator is 0 is None."""
    raise NotImplementedError

  def count(self, **amounts):
    """Adds to the counts."""
    for name, amount in amounts.items():
      self.counts[name] = self.counts.get(name, 0) + np.asarray(amount, np.float64)

  def totals(self) -> dict[str, np.ndarray]:
    """The counts with nothing left pending: what other processes may add to their own with `merge`."""
    return dict(self.counts)

  def merge(self, totals: dict[str, np.ndarray]) -> 'Scorer':
    """Adds another scorer's totals. Returns itself."""
    self.count(**totals)
    return self


def ratio(above, below) -> float | None:
  """above / below, or None where nothing was counted."""
  return float(above) / float(below) if below else None


def drawn_parts(rng: np.random.Generator, most: int) -> int:
  """1, 2, 4, ... or `most`, a power of two, each as often."""
  return 2 ** int(rng.integers(most.bit_length()))


@dataclasses.dataclass(frozen=True)
class Base:
  """A task. Fields are its schema; every kind has `vocab` and `length` as fields or class variables.

  Attributes:
    draws: False for a task that scores a corpus and has no examples of its own.
  """

  draws: ClassVar[bool] = True

  @property
  def drawn_from(self) -> bytes:
    """What examples are drawn from beside the generator, such as the contents of files."""
    return b''

  @property
  def document(self) -> int:
    """Tokens that each document of a training row is a multiple of, but for the last."""
    return self.length

  def draw(self, rng: np.random.Generator) -> Example:
    """One example of `length` tokens, by this generator and nothing else."""
    raise NotImplementedError

  def draw_at(self, rng: np.random.Generator, i: int) -> Example:
    """Training example number i; a task that grows harder while it is learned says how here."""
    return self.draw(rng)

  def documents_at(self, rng: np.random.Generator, i: int) -> list[Example]:
    """Training row number i: examples that follow one another in it, no more than `length` tokens together."""
    return [self.draw_at(rng, i)]

  def hardest(self) -> 'Base':
    """The task that held-out examples are of: this one, unless training varies how hard it is."""
    return self

  def scorer(self) -> Scorer:
    """A fresh scorer."""
    raise NotImplementedError
