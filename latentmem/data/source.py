"""What a source is: endless training batches, finite held-out batches, and a scorer for what a model made of them."""

import dataclasses

from latentmem.tasks import interface


@dataclasses.dataclass(frozen=True)
class Base:
  """A source of batches. Fields are its schema; parts are dicts with every field filled."""

  @classmethod
  def rooms(cls) -> dict:
    """The room each part comes from."""
    raise NotImplementedError

  @property
  def vocab(self) -> int:
    """Tokens there are."""
    raise NotImplementedError

  @property
  def fingerprint(self) -> str:
    """Hash of all that decides what the batches hold, but for seed and sizes."""
    raise NotImplementedError

  @property
  def asks(self) -> interface.Base:
    """The task that scores the model."""
    raise NotImplementedError

  def scorer(self) -> interface.Scorer:
    """A fresh scorer: `.add(batch, nats_BT, predicted_BT)`, then `.result()`."""
    return self.asks.scorer()

  def describe(self) -> dict:
    """Kind, vocab, fingerprint, and how much there is."""
    raise NotImplementedError

  def train(self, rows: int, length: int, align: int = 1, seed: int = 0, shard: int = 0, shards: int = 1,
            start: int = 0):
    """An endless iterator of batches.

    Args:
      rows: B of the global batch, which does not depend on `shards`.
      length: T.
      align: Documents start at multiples of it; it must divide `length`.
      seed: Of order and of drawn examples.
      shard, shards: This process yields rows shard * rows / shards and the rows / shards - 1 after it.
      start: Batches that were read before: batch `start` comes first, whatever `shards` was then.

    Raises:
      InputError: for sizes that do not divide, or a corpus that cannot be read.
    """
    raise NotImplementedError

  def heldout(self, rows: int, length: int, align: int = 1, shard: int = 0, shards: int = 1):
    """The held-out batches in order, a sized iterable that can be read again. Arguments and errors as for `train`."""
    raise NotImplementedError
