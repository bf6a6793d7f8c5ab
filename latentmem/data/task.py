"""A task as a source: every example a document, drawn when it is needed.

Example i is a pure function of (seed, i), so nothing is stored and any position can be returned to. An example longer
than a batch's rows runs over several batches, from its row's first column; a shorter one is padded with weight 0.
"""

import dataclasses
import functools
import hashlib
import json
import math

import numpy as np

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.data import pipeline, source
from latentmem.tasks import interface

# Which stream an example belongs to is part of what it is drawn from: held-out examples are no training seed's.
TRAIN, HELDOUT = 0, 1


@dataclasses.dataclass(frozen=True)
class Task(source.Base):
  """Batches of a task.

  Attributes:
    task: Kind and fields of the task.
    heldout_examples: How many held-out examples there are.
    heldout_seed: Of the held-out examples; training seeds are apart from it whatever they are.
  """

  task: dict = dataclasses.field(default_factory=lambda: dict(kind='recall'))
  heldout_examples: int = 512
  heldout_seed: int = 0

  def __post_init__(self):
    if not self.asks.draws:
      raise InputError(f'{self.task["kind"]!r} has no examples of its own; it scores a source of kind "corpus".')
    pipeline.check_seed(self.heldout_seed, 'heldout_seed')
    if self.heldout_examples < 1:
      raise InputError(f'A task needs heldout_examples >= 1, not {self.heldout_examples}.')

  @classmethod
  def rooms(cls):
    return dict(task=tasks)

  @functools.cached_property
  def asks(self):
    return tasks.make(**self.task)

  @functools.cached_property
  def hardest(self):
    return self.asks.hardest()

  @property
  def vocab(self):
    return self.asks.vocab

  @functools.cached_property
  def fingerprint(self):
    """Of what is not at its default, so that a field that comes with a later version changes none."""
    at_default = {field.name: json.dumps(field.default) for field in dataclasses.fields(self.asks)
                  if field.default is not dataclasses.MISSING}
    chosen = {name: value for name, value in self.task.items() if json.dumps(value) != at_default.get(name)}
    fields = json.dumps(dataclasses.asdict(self) | dict(task=chosen), sort_keys=True).encode()
    return hashlib.sha256(fields + self.asks.drawn_from).hexdigest()

  def describe(self):
    return dict(kind='task', vocab=self.vocab, fingerprint=self.fingerprint, task=self.task,
                heldout=dict(documents=self.heldout_examples))

  def documents(self, domain: int, seed: int, i: int) -> list[interface.Example]:
    """Row i of a stream (TRAIN or HELDOUT): one example, or in training as many as the task puts there."""
    rng = np.random.default_rng((domain, seed, i))
    return self.asks.documents_at(rng, i) if domain == TRAIN else [self.hardest.draw(rng)]

  def heldout_example(self, i: int) -> interface.Example:
    """Held-out example i."""
    return self.documents(HELDOUT, self.heldout_seed, i)[0]

  def train(self, rows, length, align=1, seed=0, shard=0, shards=1, start=0):
    pipeline.check_seed(seed)
    self._check(length, align)
    if self.asks.document < self.asks.length:
      pipeline.check_align(self.asks.document, align)
    return pipeline.endless(self._rows(TRAIN, seed, rows, length, None), rows, shard, shards, start)

  def heldout(self, rows, length, align=1, shard=0, shards=1):
    self._check(length, align)
    steps = math.ceil(self.heldout_examples / rows) * self._pieces(length)
    row = self._rows(HELDOUT, self.heldout_seed, rows, length, self.heldout_examples)
    return pipeline.Batches(row, steps, rows, shard, shards)

  def _check(self, length, align):
    """Only an example that goes on in the next batch needs its pieces to end where a chunk ends."""
    pipeline.check_align(length, align if self._pieces(length) > 1 else 1)

  def _pieces(self, length) -> int:
    return math.ceil(self.asks.length / max(length, 1))

  def _rows(self, domain, seed, rows, length, examples):
    """The stream of rows; `examples` None is endless, else rows beyond it are blank."""
    pieces = self._pieces(length)
    # A row's pieces follow `rows` calls apart, so this draws each of them once.
    draw = functools.lru_cache(maxsize=rows if pieces > 1 else 1)(functools.partial(self.documents, domain, seed))

    def row(step, b):
      i, piece = step // pieces * rows + b, step % pieces
      start = piece * length
      out = dict(tokens_BT=np.zeros(length, np.int32), targets_BT=np.zeros(length, np.int32),
                 weights_BT=np.zeros(length, np.float32))
      begins = np.zeros(1, int)
      if examples is None or i < examples:
        drawn = draw(i)
        begins = np.cumsum([0, *(len(example.tokens_T) for example in drawn[:-1])])
        for name, parts in zip(out, zip(*drawn)):
          part = np.concatenate(parts)[start:start + length]
          out[name][:len(part)] = part
      place_T = np.arange(start, start + length)
      document_T = np.searchsorted(begins, place_T, side='right') - 1
      position_T = (place_T - begins[document_T]).astype(np.int32)
      return out | dict(reset_BT=position_T == 0, position_BT=position_T)
    return row
