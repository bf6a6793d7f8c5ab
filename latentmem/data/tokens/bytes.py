"""The bytes of the text in UTF-8, 256 of them and nothing else."""

import dataclasses

import numpy as np

from latentmem.data.tokens import interface


@dataclasses.dataclass(frozen=True)
class Bytes(interface.Base):
  """Bytes as tokens."""

  @property
  def vocab(self):
    return 256

  @property
  def fingerprint(self):
    return 'bytes'

  def encode_sized(self, text):
    return np.frombuffer(text.encode('utf-8', errors='surrogateescape'), np.uint8), None

  def decode(self, ids):
    return np.asarray(ids).astype(np.uint8).tobytes().decode('utf-8', errors='replace')
