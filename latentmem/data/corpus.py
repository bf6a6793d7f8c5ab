"""A corpus as a source: its documents, encoded once, laid into rows from their first token.

Documents are held encoded in memory, in the smallest integers that hold the vocabulary (a byte a byte for `bytes`).
"""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.data import corpora, pipeline, source, stream, tokens

# The held-out documents' order; fixed, so the first batches are the same sample of them in every run.
HELDOUT_SEED = 0


@dataclasses.dataclass(frozen=True)
class Corpus(source.Base):
  """Batches of a corpus.

  Attributes:
    corpus: Kind and fields of the corpus.
    tokens: Kind and fields of the tokens.
    max_document: Longer documents are cut into parts of so many tokens, each read as a document of its own; 0 cuts
      none.
  """

  corpus: dict = dataclasses.field(default_factory=lambda: dict(kind='stdlib'))
  tokens: dict = dataclasses.field(default_factory=lambda: dict(kind='bytes'))
  max_document: int = 0

  def __post_init__(self):
    if self.max_document < 0:
      raise InputError(f'max_document is a number of tokens, or 0 for no limit, not {self.max_document}.')

  @classmethod
  def rooms(cls):
    return dict(corpus=corpora, tokens=tokens)

  @functools.cached_property
  def coder(self):
    """Text to tokens and back."""
    return tokens.make(**self.tokens)

  @functools.cached_property
  def split(self):
    """The corpus, read."""
    return corpora.make(**self.corpus).read()

  @functools.cached_property
  def train_documents(self) -> stream.Documents:
    return self._encoded(self.split.train)

  @functools.cached_property
  def heldout_documents(self) -> stream.Documents:
    return self._encoded(self.split.heldout)

  def _encoded(self, documents) -> stream.Documents:
    kind = np.min_scalar_type(max(self.vocab - 1, 1))
    ids, sizes = zip(*(self.coder.encode_sized(d.text) for d in documents)) if documents else ((), None)
    ends_D = np.cumsum([len(i) for i in ids], dtype=np.int64)
    join = lambda arrays, kind: np.concatenate([np.zeros(0, kind), *(np.asarray(a, kind) for a in arrays)])
    whole = not documents or sizes[0] is None
    return stream.Documents(join(ids, kind), ends_D, None if whole else join(sizes, np.uint32))

  @property
  def vocab(self):
    return self.coder.vocab

  @functools.cached_property
  def fingerprint(self):
    """Of names and texts, of the split, of the tokens, of the cut; not of where the corpus lies."""
    parts = [self.split.fingerprint, self.coder.fingerprint, self.max_document]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

  @functools.cached_property
  def asks(self):
    return tasks.make('text')

  def encode(self, text: str) -> np.ndarray:
    """Text to ids, int32."""
    return self.coder.encode(text)

  def decode(self, ids) -> str:
    """Ids to text."""
    return self.coder.decode(ids)

  def pieces(self, ids) -> list[str]:
    """What each id looks like on its own, for figures."""
    return self.coder.pieces(ids)

  @functools.cached_property
  def sizes(self) -> dict:
    """Documents, tokens and bytes of both sides."""
    size = lambda texts, docs: dict(documents=len(texts), tokens=len(docs.tokens_N),
                                    bytes=sum(len(d.text.encode()) for d in texts))
    return dict(train=size(self.split.train, self.train_documents),
                heldout=size(self.split.heldout, self.heldout_documents))

  def describe(self):
    return dict(kind='corpus', vocab=self.vocab, fingerprint=self.fingerprint, corpus=self.corpus, tokens=self.tokens,
                max_document=self.max_document, **self.sizes)

  def train(self, rows, length, align=1, seed=0, shard=0, shards=1, start=0):
    pipeline.check_align(length, align)
    laid = stream.Stream(self.train_documents, rows, length, align, seed=seed, longest=self.max_document)
    if len(laid.first_P) < rows:
      raise InputError(
          f'The corpus has {len(laid.first_P)} documents to train on, too few for {rows} rows: they would read the '
          f'same at once. Fewer rows would do, or a max_document (now {self.max_document}) that cuts long documents.')
    return pipeline.endless(laid, rows, shard, shards, start)

  def heldout(self, rows, length, align=1, shard=0, shards=1):
    pipeline.check_align(length, align)
    if not len(self.heldout_documents.parts()[0]):
      raise InputError(f'The corpus {self.corpus} holds out {len(self.split.heldout)} documents, none with two tokens; '
                       'a larger heldout share would do.')
    laid = stream.Stream(self.heldout_documents, rows, length, align, seed=HELDOUT_SEED, longest=self.max_document,
                         epochs=1)
    return pipeline.Batches(laid, laid.steps(), rows, shard, shards)
