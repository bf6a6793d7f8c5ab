"""Documents into rows: each row one endless stream, each document from its first token to its last.

    row 0   |doc a . . . . . . . . .-|doc d . . . .|       - padding up to a multiple of `align`, weight 0
    row 1   |doc b . . .--|doc c . . . . . . . .|          | reset: the row forgets all before it
            step 0      step 1       step 2                a long document goes on in the next batch of its row

Inputs are a document's tokens but the last, targets its tokens but the first: the last token has nothing to predict and
is not read, so every pair of neighbours is scored exactly once an epoch.

Each epoch goes through the documents in an order of its own (seed, epoch), each to the row that is free first. Rows
stay level within a document, and one number, the step, says where everything is.
"""

import bisect
import dataclasses
import heapq
import threading

import numpy as np

from latentmem.base.errors import InputError


@dataclasses.dataclass(frozen=True)
class Documents:
  """Encoded documents, end to end.

  Attributes:
    tokens_N: All tokens, in as small a dtype as holds them.
    ends_D: Where each document ends in tokens_N.
    bytes_N: Bytes of text each token stands for; None where that is one.
  """

  tokens_N: np.ndarray
  ends_D: np.ndarray
  bytes_N: np.ndarray | None = None

  def parts(self, longest: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What is read as one document: first_P, size_P (inputs).

    Documents of more than `longest` inputs (0: no limit) are cut into parts of `longest`; the token at a cut is the
    target of one part and the first input of the next. Documents of fewer than two tokens have nothing to predict and
    are left out.
    """
    starts_D = np.concatenate([[0], self.ends_D[:-1]]).astype(np.int64)
    inputs_D = self.ends_D - starts_D - 1
    keep_D = inputs_D > 0
    starts_D, inputs_D = starts_D[keep_D], inputs_D[keep_D]
    if not longest:
      return starts_D, inputs_D
    parts_D = -(-inputs_D // longest)
    within_P = np.arange(parts_D.sum()) - np.repeat(np.cumsum(parts_D) - parts_D, parts_D)
    first_P = np.repeat(starts_D, parts_D) + within_P * longest
    return first_P, np.minimum(np.repeat(inputs_D, parts_D) - within_P * longest, longest)


class Stream:
  """Rows of documents; `stream(step, b)` gives what row b reads at a step."""

  def __init__(self, documents: Documents, rows: int, length: int, align: int = 1, *, seed: int = 0, longest: int = 0,
               epochs: int | None = None):
    """`epochs` None is endless; else rows end after so many, and are padded from there. Raises InputError."""
    if longest % align:
      raise InputError(f'max_document of {longest} tokens is not a multiple of {align}, where documents may start; '
                       f'{max(1, longest // align) * align} would do.')
    self.documents, self.length, self.align, self.seed = documents, length, align, seed
    self.first_P, self.size_P = documents.parts(longest)
    self.starts, self.part = [[] for _ in range(rows)], [[] for _ in range(rows)]
    self.free = [(0, b) for b in range(rows)]
    self.epoch, self.epochs = 0, epochs
    self._lock = threading.Lock()

  def order(self, epoch: int) -> np.ndarray:
    """Which part comes when, in an epoch."""
    return np.random.default_rng((self.seed, epoch)).permutation(len(self.first_P))

  def lay(self, until: int):
    """Lays whole epochs until every row reaches `until`, or there are no more."""
    with self._lock:
      while self.free[0][0] < until and (self.epochs is None or self.epoch < self.epochs):
        for part in self.order(self.epoch).tolist():
          start, b = self.free[0]
          self.starts[b].append(start)
          self.part[b].append(part)
          heapq.heapreplace(self.free, (start - int(-self.size_P[part] // self.align) * self.align, b))
        self.epoch += 1

  def steps(self) -> int:
    """Steps until the last row ends, for a finite stream."""
    while self.epoch < self.epochs:
      self.lay(self.free[0][0] + 1)
    return -(-max(end for end, _ in self.free) // self.length)

  def __call__(self, step: int, b: int) -> dict:
    """tokens_T, targets_T, weights_T, reset_T, position_T (and bytes_T) under their batch names."""
    low, high = step * self.length, (step + 1) * self.length
    self.lay(high)
    out = dict(tokens_BT=np.zeros(self.length, np.int32), targets_BT=np.zeros(self.length, np.int32),
               weights_BT=np.zeros(self.length, np.float32), reset_BT=np.zeros(self.length, bool),
               position_BT=np.zeros(self.length, np.int32))
    if self.documents.bytes_N is not None:
      out['bytes_BT'] = np.zeros(self.length, np.float32)
    starts = self.starts[b]
    for k in range(max(0, bisect.bisect_right(starts, low) - 1), bisect.bisect_left(starts, high)):
      self._write(out, starts[k] - low, self.part[b][k])
    return out

  def _write(self, out, start, part):
    """Writes what falls into the row of a part that starts at column `start`, which may be negative."""
    docs, first, size = self.documents, self.first_P[part], int(self.size_P[part])
    a, z = max(start, 0), max(0, min(start + size, self.length))
    out['position_BT'][a:] = np.arange(a, self.length) - start
    if start >= 0:
      out['reset_BT'][start] = True
    if z <= a:
      return
    source = slice(first + a - start, first + z - start)
    target = slice(source.start + 1, source.stop + 1)
    out['tokens_BT'][a:z] = docs.tokens_N[source]
    out['targets_BT'][a:z] = docs.tokens_N[target]
    out['weights_BT'][a:z] = 1
    if docs.bytes_N is not None:
      out['bytes_BT'][a:z] = docs.bytes_N[target]
