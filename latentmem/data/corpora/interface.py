"""What a corpus is: documents with names, split for good by a hash of the name.

A document's side depends on its name alone, so it stays where it is when others come, go or change.
"""

from collections.abc import Iterator
import dataclasses
import hashlib
from typing import ClassVar, NamedTuple

from latentmem.base.errors import InputError


class Document(NamedTuple):
  """A document. `held` says which side it is on where the corpus itself knows; None leaves that to the name."""

  name: str
  text: str
  held: bool | None = None


class Split(NamedTuple):
  """A corpus, read: what is trained on, what is held out, and a hash of all names, sides and texts."""

  train: list[Document]
  heldout: list[Document]
  fingerprint: str


def falls_out(name: str, share: float) -> bool:
  """Whether a name is in the held-out share (0 to 1): sha256 of the name, as a fraction, is below it."""
  return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) < share * 2 ** 64


@dataclasses.dataclass(frozen=True)
class Base:
  """A corpus.

  Attributes:
    heldout: Share of documents held out, by a hash of the name; 0 holds out none.
    short: The field that 'kind:argument' fills, or None.
  """

  heldout: float = 0.05

  short: ClassVar[str | None] = None

  def __post_init__(self):
    if not 0 <= self.heldout < 1:
      raise InputError(f'heldout is a share of the documents, from 0 to below 1, not {self.heldout}.')

  def documents(self) -> Iterator[Document]:
    """All documents, in an order that depends on nothing but the corpus. Raises InputError."""
    raise NotImplementedError

  def where(self) -> str:
    """The corpus in a few words, for errors."""
    raise NotImplementedError

  def read(self) -> Split:
    """Reads all. Raises InputError where there is nothing to read, to train on, or to hold out."""
    found = [d for d in self.documents() if d.text.strip()]
    if not found:
      raise InputError(f'{self.where()} has no text in it: no document, or only blank ones.')
    found = [d if d.held is not None else d._replace(held=falls_out(d.name, self.heldout)) for d in found]
    train, held = [d for d in found if not d.held], [d for d in found if d.held]
    if not train or (self.heldout and not held):
      raise InputError(
          f'{self.where()} has {len(found)} documents, {len(train)} to train on and {len(held)} held out with heldout='
          f'{self.heldout}. Another share, more documents or a held-out set of its own would do.')
    digest = hashlib.sha256()
    for d in found:
      for part in (d.name.encode(), b'held' if d.held else b'train', d.text.encode()):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return Split(train, held, digest.hexdigest())
