"""What tasks that ask generated persons have in common: their size, the types of questions, words and scores."""

import dataclasses
import functools

import numpy as np

from latentmem.tasks import choices, interface, person_facts, persona_questions
from latentmem.tasks import persona_words as words

# Tokens of the longest question with its options and <answer>, the letter not included.
LONGEST = 36


@dataclasses.dataclass(frozen=True)
class AsksPersons(interface.Base):
  """A task over generated persons.

  Attributes:
    types: Question types, of `persona_questions.TYPES`; () for all.
    preferences, evolutions, ideas, attributes, plans: Groups of facts a person has (`person_facts.Size`).
  """

  types: tuple[str, ...] = ()
  preferences: int = 4
  evolutions: int = 2
  ideas: int = 2
  attributes: int = 2
  plans: int = 1

  def __post_init__(self):
    object.__setattr__(self, 'types', tuple(np.atleast_1d(self.types).tolist()) or persona_questions.TYPES)

  @functools.cached_property
  def size(self) -> person_facts.Size:
    return person_facts.Size(*(getattr(self, field.name) for field in dataclasses.fields(person_facts.Size)))

  @property
  def vocab(self) -> int:
    return len(words.WORDS)

  def scorer(self):
    return choices.Choices()
