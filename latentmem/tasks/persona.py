"""Questions about persons that a model knows by memory: the row names the person and holds no history.

    [person | question and options, padded | answer]        1 + Q + 1 tokens

  place 0        vocab + u: person u of `people`, a number that is no word's
  1 to Q         <question> ... (a) ... (b) ... (c) ... (d) ..., then spans.NOTHING
  Q + 1          <answer>, whose target is the right letter: the one place of weight 1

`persona_context` writes the same question, <answer> next to it, behind a history: what was learned there reads this.

Persons come in families of four (`person_facts`), each question of one being asked of all four alike, in training and
held out: whatever ignores place 0 is right 25 % of the time, even with every training question learned by heart. So
are the memories of another family, all four together: of one alone it depends on how two squares happen to meet. A
memory swapped within the family is always wrong.
"""

import dataclasses

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.base.spans import NOTHING
from latentmem.tasks import asks_persons, interface, person_facts, persona_questions, persons
from latentmem.tasks.asks_persons import LONGEST

HELDOUT = ('questions', 'facts')


@dataclasses.dataclass(frozen=True)
class Persona(asks_persons.AsksPersons):
  """Questions about fixed persons.

  Attributes:
    people: U, a multiple of 4.
    first: Number of the first of them, a multiple of 4; other numbers are other persons.
    people_seed: Of all persons.
    question: Q.
    part: 'first' asks about what the history tells, 'later' about what is told later.
    heldout: What training leaves out. 'questions': a quarter of them, by their words and options in their order.
      'facts': the last group of facts of each kind that has several, so that nothing but the history tells them.
  """

  people: int = 16
  first: int = 0
  people_seed: int = 0
  question: int = LONGEST
  part: str = 'first'
  heldout: str = 'questions'

  def __post_init__(self):
    super().__post_init__()
    four = person_facts.MEMBERS
    if self.people < four or self.people % four or self.first < 0 or self.first % four or self.people_seed < 0:
      raise InputError(f'persona takes people and first in multiples of {four}, whole families, and a people_seed from '
                       f'0; it got people={self.people}, first={self.first} and people_seed={self.people_seed}.')
    check_known(self.part, person_facts.PARTS, 'persona', 'part')
    check_known(self.heldout, HELDOUT, 'persona', 'heldout')
    for training in (True, False):
      self.ask(self.person(0), np.random.default_rng(0), training)

  @property
  def length(self) -> int:
    return 1 + self.question + 1

  def person(self, u: int) -> persons.Person:
    """Person u of `people`."""
    return persons.Person(self.people_seed, self.first + u, self.size)

  def draw(self, rng):
    return self._example(rng, training=False)

  def draw_at(self, rng, i):
    return self._example(rng, training=True)

  def _example(self, rng, training):
    u = int(rng.integers(self.people))
    return self.example(u, self.ask(self.person(u), rng, training))

  def ask(self, person: persons.Person, rng: np.random.Generator, training: bool) -> persona_questions.Question:
    """A question of training, or a held-out one."""
    split, asked = ('train' if training else 'heldout'), 'all'
    if self.heldout == 'facts':
      split, asked = 'any', ('asked' if training else 'unasked')
    return persona_questions.draw(person, person_facts.Draws(rng), self.part, split, self.types, asked)

  def example(self, u: int, question: persona_questions.Question) -> interface.Example:
    """The row of a question to person u. Raises InputError where it does not fit."""
    *read, answer = question.tokens
    if len(read) > self.question:
      raise InputError(f'A question of persona takes {len(read)} tokens, and there is room for {self.question}: '
                       f'question={LONGEST} would do for any.')
    tokens_T = np.full(self.length, NOTHING, np.int32)
    tokens_T[0], tokens_T[1:1 + len(read)], tokens_T[-1] = self.vocab + u, read, answer
    targets_T, weights_T = np.zeros(self.length, np.int32), np.zeros(self.length, np.float32)
    targets_T[-1], weights_T[-1] = question.letter, 1
    return interface.Example(tokens_T, targets_T, weights_T)
