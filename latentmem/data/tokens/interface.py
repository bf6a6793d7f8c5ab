"""What tokens are: text to ids and back, and how many bytes of text each id stands for."""

import contextlib
import dataclasses
import importlib
import pathlib
from typing import ClassVar

import numpy as np

from latentmem.base.errors import InputError


@dataclasses.dataclass(frozen=True)
class Base:
  """A way to write text in tokens.

  No kind needs a token for a document's start, its end or padding: a reset says where a document starts, a weight
  of 0 where there is nothing.

  Attributes:
    short: The field that 'kind:argument' fills, or None.
  """

  short: ClassVar[str | None] = None

  @property
  def vocab(self) -> int:
    """Ids there are."""
    raise NotImplementedError

  @property
  def fingerprint(self) -> str:
    """Hash of all that decides how text is written."""
    raise NotImplementedError

  @property
  def stops(self) -> frozenset[int]:
    """Ids that end what a model says, where what lies beside the tokens tells them."""
    return frozenset()

  def encode_sized(self, text: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Ids, and the bytes of the text (UTF-8) that each stands for, which add up to the text; None where all are 1."""
    raise NotImplementedError

  def encode(self, text: str) -> np.ndarray:
    """Ids, int32."""
    return np.asarray(self.encode_sized(text)[0], np.int32)

  def decode(self, ids) -> str:
    """The text; what is no valid text is shown by a replacement character."""
    raise NotImplementedError

  def pieces(self, ids) -> list[str]:
    """What each id looks like on its own."""
    return [self.decode([i]) for i in np.asarray(ids).tolist()]


def sizes(total: int, ends) -> np.ndarray:
  """Bytes of text by token, from the bytes at which tokens end and the text's length in bytes.

  Where tokens share bytes, or the tokenizer left some out, they go to the token that first reaches their end; what is
  behind the last token goes to it. So the sizes add up to the text.
  """
  ends_N = np.maximum.accumulate(np.asarray(ends, np.int64))
  ends_N[-1:] = total
  return np.diff(ends_N, prepend=0)


def package(name: str):
  """The package, imported. Raises InputError where it is not installed."""
  try:
    return importlib.import_module(name)
  except ImportError as e:
    raise InputError(f'These tokens need the package {name}; pip install {name} would do.') from e


def check_file(kind: str, path: str, what: str):
  """Raises InputError unless `path` is a file."""
  if not path:
    raise InputError(f'{kind} needs a path to {what}.')
  if not pathlib.Path(path).is_file():
    raise InputError(f'{kind} needs {what}; there is no file {path!r}.')


def check_text(text: str):
  """Raises InputError for bytes that are no UTF-8 and stand in a text as surrogates."""
  try:
    text.encode()
  except UnicodeEncodeError as e:
    raise InputError(f'Character {e.start} of the text is no UTF-8, which only the tokens \'bytes\' can write.') from e


def inside(path: str, name: str) -> str:
  """`path`, or the file `name` in it where it is a folder."""
  return str(pathlib.Path(path) / name) if path and pathlib.Path(path).is_dir() else path


def content(path: str) -> bytes:
  """A file's bytes."""
  return pathlib.Path(path).read_bytes()


@contextlib.contextmanager
def readable(path: str, what: str):
  """What a tokenizer's package raises over a file, as an InputError that names it."""
  try:
    yield
  except Exception as e:  # the packages raise bare Exception and RuntimeError
    said = str(e).strip() or type(e).__name__
    raise InputError(f'{path} cannot be read as a {what}: {said.splitlines()[0]}') from e
