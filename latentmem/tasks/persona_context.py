"""Answers from the whole history: a person's turns, then questions about them, in one row.

  <date> 12 may 2014 <user> ... <assistant> ...  <question> ... (a) ... (d) ... <answer> (c) <question> ... <answer> (a)
                                                                                  ^                         ^
                                                                              asked: (c)                asked: (a)

Every example is another person's, so nothing can be remembered from one to the next: only what stands in the row tells
the answers. Questions of a row are about different groups of facts, so the answers in it do not tell each other either.
What is behind the last answer is filled with <none>, weight 0.
"""

import dataclasses

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import asks_persons, interface, person_facts, persona_questions, persons
from latentmem.tasks import persona_words as words
from latentmem.tasks.asks_persons import LONGEST

FAMILIES = 2 ** 32


@dataclasses.dataclass(frozen=True)
class PersonaContext(asks_persons.AsksPersons):
  """A history and questions.

  Attributes:
    history: Tokens of the history, at most; it is a few less.
    shortest: Training histories are of any length from here to `history`; 0 for `history` always, as held-out ones.
    questions: In a row; 1 to as many as there are groups.
    history_weight: Weight in training of each token of the history but its first; 0 asks for the letters alone.
  """

  history: int = 1024
  shortest: int = 0
  questions: int = 8
  history_weight: float = 0.0

  def __post_init__(self):
    super().__post_init__()
    if self.history_weight < 0 or not 0 <= self.shortest <= self.history:
      raise InputError(f'persona_context takes history_weight >= 0 and a shortest history up to '
                       f'history={self.history}; it got {self.history_weight} and {self.shortest}.')
    shortest, least = self.shortest or self.history, persons.least_tokens(self.size)
    if shortest < least:
      raise InputError(f'The facts of a person of persona_context take up to {least} tokens of history, and the '
                       f'shortest has {shortest}; fewer facts take less.')
    subjects = persona_questions.subjects(persons.Person(0, 0, self.size), kinds=self.types)
    most = len({group.name for _, group in subjects})
    if not 1 <= self.questions <= most:
      raise InputError(f'persona_context asks 1 to {most} questions in a row, as many as it has groups of facts for '
                       f'its types, not {self.questions}.')

  @property
  def length(self) -> int:
    return self.history + self.questions * (LONGEST + 1) - 1

  def hardest(self):
    return dataclasses.replace(self, shortest=0)

  def draw(self, rng):
    return self._example(rng, self.history, 0.0)

  def draw_at(self, rng, i):
    history = int(rng.integers(self.shortest, self.history + 1)) if self.shortest else self.history
    return self._example(rng, history, self.history_weight)

  def _example(self, rng, history, history_weight):
    number = int(rng.integers(person_facts.MEMBERS * FAMILIES))
    person = persons.Person(0, number, self.size)
    asked = persona_questions.apart(person, self.questions, person_facts.Draws(rng), self.types)
    return self.example(person.history(history), asked, history_weight)

  def example(self, history: persons.History, asked: list[persona_questions.Question],
              history_weight: float = 0.0) -> interface.Example:
    """The row of a history and questions. Raises InputError where it does not fit."""
    told, said = len(history.tokens_T), [token for question in asked for token in (*question.tokens, question.letter)]
    if told + len(said) > self.length + 1:
      raise InputError(f'A history of {told} tokens and questions of {len(said)} do not fit a row of {self.length}.')
    row_T = np.full(self.length + 1, words.NUMBER[words.NONE], np.int32)
    row_T[:told], row_T[told:told + len(said)] = history.tokens_T, said
    weights_T = np.zeros(self.length, np.float32)
    weights_T[:told - 1] = history_weight
    weights_T[row_T[:-1] == words.NUMBER[words.ANSWER]] = 1
    targets_T = np.where(weights_T > 0, row_T[1:], 0).astype(np.int32)
    # The last letter is asked for and not read.
    row_T[told + len(said) - 1] = words.NUMBER[words.NONE]
    return interface.Example(row_T[:-1], targets_T, weights_T)
