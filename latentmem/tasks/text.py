"""Text: how many bits a model needs for a byte of it, whole and by position in the document.

    bits per byte = sum over targets of -log2 p(target) / bytes that the targets stand for

Targets are tokens, the denominator is bytes of the text, so models with different tokens compare. A document's
first token is given, not predicted: neither its bits nor its bytes count.
"""

import dataclasses
import functools
import math
from typing import ClassVar

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import interface


@dataclasses.dataclass(frozen=True)
class Text(interface.Base):
  """Scores a corpus; has no examples of its own.

  Attributes:
    edges: Where position bins end, in tokens, rising.
  """

  edges: tuple[int, ...] = (512, 1024, 2048, 4096, 8192)

  draws: ClassVar[bool] = False

  def __post_init__(self):
    if list(self.edges) != sorted(set(self.edges)) or not all(e > 0 for e in self.edges):
      raise InputError(f'text needs rising positive edges, not {self.edges}.')

  def scorer(self):
    return Bits(self.edges)


class Bits(interface.Scorer):
  """Bits per byte, whole and by the position (in tokens) of the token that predicts."""

  def __init__(self, edges):
    super().__init__()
    self.edges = tuple(edges)

  @functools.cached_property
  def names(self) -> list[str]:
    starts = (0, *self.edges)
    return [f'{a}-{b}' for a, b in zip(starts[:-1], self.edges)] + [f'{starts[-1]}-']

  def add(self, batch, nats_BT, predicted_BT=None):
    weights_BT = np.asarray(batch['weights_BT'], np.float64)
    bins_BT = np.searchsorted(self.edges, np.asarray(batch['position_BT']), side='right')
    scored_BT = weights_BT > 0
    nats_BT = np.where(scored_BT, np.asarray(nats_BT, np.float64), 0) * weights_BT
    bytes_BT = np.where(scored_BT, np.asarray(batch.get('bytes_BT', weights_BT), np.float64), 0)
    by_bin = lambda a_BT: np.bincount(bins_BT.ravel(), a_BT.ravel(), minlength=len(self.edges) + 1)
    self.count(nats=by_bin(nats_BT), bytes=by_bin(bytes_BT), tokens=by_bin(scored_BT))

  def result(self):
    """bits_per_byte, by_position (bins that hold something), loss (nats a token), tokens, bytes."""
    n = dict.fromkeys(('nats', 'bytes', 'tokens'), np.zeros(len(self.names))) | self.totals()
    bits = lambda nats, size: interface.ratio(nats / math.log(2), size)
    return dict(bits_per_byte=bits(n['nats'].sum(), n['bytes'].sum()),
                by_position={name: bits(nats, size)
                             for name, nats, size in zip(self.names, n['nats'], n['bytes']) if size},
                loss=interface.ratio(n['nats'].sum(), n['tokens'].sum()),
                tokens=int(n['tokens'].sum()), bytes=int(n['bytes'].sum()))
