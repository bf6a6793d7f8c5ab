"""A SentencePiece model file (`tokenizer.model`). Needs the packages sentencepiece and protobuf."""

import dataclasses
import functools
import hashlib
from typing import ClassVar

import numpy as np

from latentmem.data.tokens import interface


@dataclasses.dataclass(frozen=True)
class Sentencepiece(interface.Base):
  """SentencePiece tokens.

  Attributes:
    path: The model file.
  """

  path: str = ''

  short: ClassVar[str] = 'path'

  def __post_init__(self):
    interface.check_file('sentencepiece', self.path, 'a model file, tokenizer.model')

  @functools.cached_property
  def model(self):
    package = interface.package('sentencepiece')
    with interface.readable(self.path, 'SentencePiece model'):
      return package.SentencePieceProcessor(model_file=self.path)

  @property
  def vocab(self):
    return self.model.get_piece_size()

  @functools.cached_property
  def fingerprint(self):
    return hashlib.sha256(interface.content(self.path)).hexdigest()

  def encode_sized(self, text):
    interface.check_text(text)
    made = interface.package('sentencepiece.sentencepiece_pb2').SentencePieceText()
    made.ParseFromString(self.model.encode(text, out_type='serialized_proto'))
    ends = [p.end for p in made.pieces]
    return np.asarray([p.id for p in made.pieces], np.int32), interface.sizes(len(text.encode()), ends)

  def decode(self, ids):
    return self.model.decode(np.asarray(ids).tolist())

  def pieces(self, ids):
    return [self.model.id_to_piece(i).replace('\u2581', ' ') for i in np.asarray(ids).tolist()]
