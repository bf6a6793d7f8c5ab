"""What tokens are: text to ids and back, and how many bytes of text each id stands for."""

import dataclasses
from typing import ClassVar

import numpy as np


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
