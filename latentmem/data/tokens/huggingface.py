"""A Hugging Face `tokenizer.json` file. Needs the package tokenizers, not transformers."""

import dataclasses
import functools
import hashlib
import pathlib
from typing import ClassVar

import numpy as np

from latentmem.data.tokens import chat, interface


@dataclasses.dataclass(frozen=True)
class Huggingface(interface.Base):
  """Tokens of a `tokenizer.json`, without the special tokens that it would add around a text.

  Attributes:
    path: The file, or the folder it lies in.
  """

  path: str = ''

  short: ClassVar[str] = 'path'

  def __post_init__(self):
    interface.check_file('huggingface', self.file, 'a tokenizer.json')

  @property
  def file(self) -> str:
    return interface.inside(self.path, 'tokenizer.json')

  @functools.cached_property
  def model(self):
    package = interface.package('tokenizers')
    with interface.readable(self.file, 'tokenizer.json'):
      return package.Tokenizer.from_str(interface.content(self.file).decode())

  @property
  def vocab(self):
    return max(self.model.get_vocab(with_added_tokens=True).values()) + 1

  @functools.cached_property
  def stops(self):
    return chat.stops(pathlib.Path(self.file).parent, self)

  @functools.cached_property
  def fingerprint(self):
    return hashlib.sha256(interface.content(self.file)).hexdigest()

  def encode_sized(self, text):
    interface.check_text(text)
    made = self.model.encode(text, add_special_tokens=False)
    # Offsets count characters.
    bytes_C = np.cumsum([0, *(len(c.encode()) for c in text)])
    return np.asarray(made.ids, np.int32), interface.sizes(bytes_C[-1], bytes_C[[end for _, end in made.offsets]])

  def decode(self, ids):
    return self.model.decode(np.asarray(ids).tolist(), skip_special_tokens=False)
