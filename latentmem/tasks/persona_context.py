"""Answers from the whole history: a person's turns, then questions about them, in one row.

  <date> 12 may 2014 <user> ... <assistant> ...  <question> ... (a) ... (d) ... <answer> (c) <question> ... <answer> (a)
                                                                                  ^                         ^
                                                                              asked: (c)                asked: (a)

In training a share of the questions may be open: without options, and answered in words, of which each is asked for
(the kind alone where a new value would be right: the history tells no more); and a share may be spelled: the words of
the right option, and its letter behind them. A letter is two steps away from the history, what the words tell and which
option has them: open questions teach the first, spelled ones the second.
Drilled, a list of options is asked for more than one letter: a spelled answer goes on with the other options and their
letters, and behind a question stand others with the same options, which are not told again:

  <question> ... (a) ... (d) ... <answer> (c) <question> ... (a) (b) (c) (d) <answer> (b)

Every example is another person's, so nothing can be remembered from one to the next: only what stands in the row tells
the answers. Questions of a row are about different groups of facts, so the answers in it do not tell each other either.
What is behind the last answer is filled with <none>, weight 0.
"""

from collections.abc import Sequence
import dataclasses
import functools
import zlib

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import asks_persons, interface, person_facts, persona_questions, persons
from latentmem.tasks import persona_words as words
from latentmem.tasks.asks_persons import LONGEST

FAMILIES = 2 ** 32
# Tokens of what answers one question, however it is worded, with a date, and at least; a part is the former twice.
EVIDENCE, SHORTEST = 72, 12
SHORTEST_PART = 2 * EVIDENCE
# How a question is answered.
LETTER, OPEN, SPELLED, AGAIN = 'letter', 'open', 'spelled', 'again'


@dataclasses.dataclass(frozen=True)
class PersonaContext(asks_persons.AsksPersons):
  """A history and questions.

  Attributes:
    history: Tokens of the history, at most; it is a few less.
    shortest: Training histories are of any length from here to `history`; 0 for `history` always, as held-out ones.
    questions: In a row; 1 to as many as there are groups.
    history_weight: Weight in training of each token of the history but its first; 0 asks for the letters alone.
    open: Share of training questions that are open.
    spelled: Share of training questions that are spelled, of those that are not open.
    drilled: Whether spelled answers and questions in training are drilled.
    dense: Whether training rows are filled with questions, about any facts, some of them twice.
    parts: Training rows are one person, or 2, 4, ... up to so many of whom little is told, as often; a half or
      more of what is theirs asks about that. Options that nobody mentioned are easy to rule out, so that what is told
      can be read before it is known where to look.
  """

  history: int = 1024
  shortest: int = 0
  questions: int = 8
  history_weight: float = 0.0
  open: float = 0.0
  spelled: float = 0.0
  drilled: bool = False
  dense: bool = False
  parts: int = 1

  def __post_init__(self):
    super().__post_init__()
    if self.history_weight < 0 or not 0 <= self.shortest <= self.history:
      raise InputError(f'persona_context takes history_weight >= 0 and a shortest history up to '
                       f'history={self.history}; it got {self.history_weight} and {self.shortest}.')
    if not (0 <= self.open <= 1 and 0 <= self.spelled <= 1):
      raise InputError(f'persona_context takes a share of open questions, and of spelled ones, from 0 to 1; it got '
                       f'{self.open} and {self.spelled}.')
    shortest, least = self.shortest or self.history, persons.least_tokens(self.size)
    if shortest < least:
      raise InputError(f'The facts of a person of persona_context take up to {least} tokens of history, and the '
                       f'shortest has {shortest}; fewer facts take less.')
    if self.parts < 1 or self.parts & self.parts - 1 or self.document < SHORTEST_PART:
      raise InputError(f'persona_context takes 1, 2, 4, ... parts of {SHORTEST_PART} tokens or more; it got '
                       f'parts={self.parts} of {self.length}.')
    subjects = persona_questions.subjects(persons.Person(0, 0, self.size), kinds=self.types)
    most = len({group.name for _, group in subjects})
    if not 1 <= self.questions <= most:
      raise InputError(f'persona_context asks 1 to {most} questions in a row, as many as it has groups of facts for '
                       f'its types, not {self.questions}.')

  @property
  def length(self) -> int:
    return self.history + self.questions * (LONGEST + 1) - 1

  @property
  def document(self) -> int:
    return self.length // self.parts

  def hardest(self):
    return dataclasses.replace(self, shortest=0, parts=1)

  def draw(self, rng):
    return self._example(rng, self.history, training=False)

  def draw_at(self, rng, i):
    history = int(rng.integers(self.shortest, self.history + 1)) if self.shortest else self.history
    return self._example(rng, history, training=True)

  def documents_at(self, rng, i):
    parts = interface.drawn_parts(rng, self.parts)
    if parts == 1:
      return [self.draw_at(rng, i)]
    return [self._short(rng, self.document * (self.parts // parts)) for _ in range(parts)]

  def _person(self, rng) -> persons.Person:
    return persons.Person(0, int(rng.integers(person_facts.MEMBERS * FAMILIES)), self.size)

  def _example(self, rng, history, training):
    person, draws = self._person(rng), person_facts.Draws(rng)
    if training and self.dense:
      questions = iter(functools.partial(persona_questions.draw, person, draws, kinds=self.types), None)
    else:
      questions = persona_questions.apart(person, self.questions, draws, self.types)
    return self._row(person, person.history(history), questions, draws, self.length, training)

  def _short(self, rng, length: int) -> interface.Example:
    """A person of whom only what answers a few questions is told, in any share of half the row."""
    person, draws = self._person(rng), person_facts.Draws(rng)
    room, keys, groups = length // 2, frozenset(), set()
    least, enough = 0, draws.uniform() * room
    for _ in range(room // SHORTEST):
      question = persona_questions.draw(person, draws, kinds=self.types)
      more = keys.union(question.evidence)
      needed = least if more == keys else persons.longest(person, more)
      if keys and needed > enough:
        break
      least, keys, groups = needed, more, groups | {question.group}
    told = person.history(max(least, int(enough)), keys)
    return self._row(person, told, self._about(person, groups, told.where.keys(), draws), draws, length, training=True)

  def _about(self, person, groups, known, draws):
    """Questions about these groups without end, all of which what is known answers."""
    pairs = [pair for pair in persona_questions.subjects(person, kinds=self.types) if pair[1].name in groups]
    while True:
      kind, group = draws.pick(pairs)
      question = persona_questions.drawn(person, group, kind, draws)
      if known >= set(question.evidence):
        yield question

  def _row(self, person, told, questions, draws, length, training):
    """A history and as many of the questions as have room."""
    room, again = length + 1 - len(told.tokens_T), lambda question: ()
    if training and self.drilled:
      again = lambda question: self._again(person, question, told.where.keys(), draws)
    asked, forms = zip(*self._asked(questions, again, draws, room, training))
    return self.example(told, asked, self.history_weight if training else 0.0, forms, length)

  def _asked(self, questions, again, draws, room, training):
    """Questions that have room, and the form of each: a letter alone where the words have none."""
    for question in questions:
      form = self._form(question, draws) if training else LETTER
      form = form if self._cost(question, form) <= room else LETTER
      room -= self._cost(question, form)
      if room < 0:
        return
      yield question, form
      for other in again(question) if form == LETTER else ():
        room -= self._cost(other, AGAIN)
        if room < 0:
          return
        yield other, AGAIN

  def _again(self, person, question, known, draws):
    """Other questions about the same group that what is known answers, with the same options in the same order."""
    group = next(group for group in person.groups() if group.name == question.group)
    kinds = [kind for kind, other in persona_questions.subjects(person, kinds=self.types) if other.name == group.name]
    asked = {(question.kind, question.evidence)}
    for _ in range(2 * person_facts.MEMBERS):
      other = persona_questions.ask(person, group, draws.pick(kinds), draws)
      about = (other.kind, other.evidence)
      if about not in asked and sorted(other.options) == sorted(question.options) and known >= set(other.evidence):
        asked.add(about)
        yield other._replace(options=question.options, right=question.options.index(other.options[other.right]))

  def _form(self, question, draws):
    if self.open and draws.uniform() < self.open:
      return OPEN
    return SPELLED if self.spelled and draws.uniform() < self.spelled else LETTER

  def example(self, history: persons.History, asked: Sequence[persona_questions.Question], history_weight: float = 0.0,
              forms: Sequence[str] = (), length: int = 0) -> interface.Example:
    """The row of a history and questions, in these forms or all answered by a letter, in so many tokens, or the task's.

    Raises InputError where it does not fit.
    """
    length = length or self.length
    exchanges = list(map(self._exchange, asked, forms or [LETTER] * len(asked)))
    told, said = len(history.tokens_T), [token for ask, answer in exchanges for token in (*ask, *answer)]
    if told + len(said) > length + 1:
      raise InputError(f'A history of {told} tokens and questions of {len(said)} do not fit a row of {length}.')
    row_T = np.full(length + 1, words.NUMBER[words.NONE], np.int32)
    row_T[:told], row_T[told:told + len(said)] = history.tokens_T, said
    weights_T = np.zeros(length, np.float32)
    weights_T[:told - 1] = history_weight
    place = told
    for ask, answer in exchanges:
      place += len(ask)
      weights_T[place - 1:place - 1 + len(answer)] = 1
      place += len(answer)
    targets_T = np.where(weights_T > 0, row_T[1:], 0).astype(np.int32)
    # The last word is asked for and not read.
    row_T[told + len(said) - 1] = words.NUMBER[words.NONE]
    return interface.Example(row_T[:-1], targets_T, weights_T)

  def _exchange(self, question: persona_questions.Question, form: str) -> tuple[list[int], list[int]]:
    """What is asked, and what is answered."""
    if form == OPEN:
      return question.open, question.answer
    if form == AGAIN:
      return [*question.open[:-1], *persona_questions.LETTERS, question.open[-1]], [question.letter]
    if form == LETTER:
      return question.tokens, [question.letter]
    spell = lambda i: [*question.options[i], persona_questions.LETTERS[i]]
    others = sorted({*range(len(question.options))} - {question.right}, key=lambda i: _lot(question.options[i]))
    spelt = (question.right, *others) if self.drilled else (question.right,)
    return question.tokens, [token for i in spelt for token in spell(i)]

  def _cost(self, question, form):
    """Tokens of what is asked and of what is answered."""
    return sum(map(len, self._exchange(question, form)))


def _lot(option: list[int]) -> int:
  """Puts options into an order that says nothing of their letters."""
  return zlib.crc32(np.asarray(option, np.int32).tobytes())
