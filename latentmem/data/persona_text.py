"""Generated persons in plain English, for a base that reads text with a tokenizer of its own.

Who is asked what is `tasks.persona`'s; a row (`spoken`) is one of its questions as people write it, options and all,
and the letter of an option:

    [person | question, a line for each option, LISTED | (c)]

Training and held-out rows ask for nothing of the answer but where letters differ, so that accuracy is that of letters.
"""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.data import spoken
from latentmem.data.task import HELDOUT, Task
from latentmem.data.tokens import chat
from latentmem.tasks import answers, interface, person_facts, persona_questions, persons
from latentmem.tasks import persona_words as words

LISTED = 'Answer with its letter alone.'
# Questions that are looked at for how long they are, and how often one is drawn anew that is longer.
LOOKED_AT, DRAWN = 512, 100


@dataclasses.dataclass(frozen=True)
class Asks(interface.Base):
  """Accuracy of letters, and the sizes of rows as `tasks.persona` has them."""

  vocab: int = 256
  people: int = 4
  question: int = 128
  answer: int = 8

  @property
  def length(self):
    return 1 + self.question + self.answer

  def scorer(self):
    return answers.Answers()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersonaText(spoken.Spoken):
  """Questions about generated persons in text.

  Attributes:
    task: Kind and fields of the task, 'persona'.
    chat: Folder of the chat template that questions are asked by; '' for plain text.
    question: Q; 0 for what drawn questions are found to need.
    heldout_examples, heldout_seed: As `data.task` has them.
  """

  task: dict = dataclasses.field(default_factory=lambda: tasks.fields('persona'))
  chat: str = ''
  question: int = 0
  answer: int = 8
  heldout_examples: int = 512
  heldout_seed: int = 0

  # Another person's memory is that of somebody of another family.
  apart = person_facts.MEMBERS
  lists = True

  def __post_init__(self):
    if self.task['kind'] != 'persona':
      raise InputError(f"persona_text asks what the task 'persona' asks, not {self.task['kind']!r}.")
    if self.question < 0 or self.answer < 2:
      raise InputError(f'persona_text takes question=0 or more and answer=2 or more, not {self.question} and '
                       f'{self.answer}.')
    self._task.describe()

  @classmethod
  def rooms(cls):
    return super().rooms() | dict(task=tasks)

  @functools.cached_property
  def _task(self) -> Task:
    return Task(self.task, self.heldout_examples, self.heldout_seed)

  @functools.cached_property
  def speech(self):
    return spoken.Speech(self.coder, chat.read(self.chat) if self.chat else None)

  @property
  def people(self):
    return self._task.asks.people

  @functools.cached_property
  def asks(self) -> Asks:
    return Asks(self.vocab, self.people, self.question or self._longest(), self.answer)

  @functools.cached_property
  def fingerprint(self):
    """Of who is asked what, of the tokens, of the template and of the sizes; not of where they lie."""
    parts = [self._task.fingerprint, self.speech.fingerprint, self.vocab, self.asks.question, self.answer, LISTED]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

  def describe(self):
    return dict(kind='persona_text', vocab=self.vocab, fingerprint=self.fingerprint, task=self.task,
                tokens=self.tokens, speech=self.speech.fingerprint, chat=self.chat, people=self.people,
                heldout=dict(documents=self.heldout_rows))

  @property
  def heldout_rows(self):
    return self.heldout_examples

  def drawn(self, rng):
    return self._letter(*self._fitting(rng, training=True))

  def held(self, i):
    return self._letter(*self._held(i))

  def asked(self, by=0):
    out = []
    for u, question in sorted(map(self._held, range(self.heldout_rows)), key=lambda found: found[0]):
      text = written(question)
      rows = [self.option(u, text, letter, (u + by) % self.people) for letter in words.LETTERS]
      out.append(spoken.Asked(u, question.kind, text, rows, question.right))
    return out

  def history(self, u: int, count: int) -> np.ndarray:
    """All that person u tells, in at most so many tokens. Raises InputError where that is too few."""
    person, room = self._task.asks.person(u), count
    while True:
      try:
        told = person.history(room)
      except InputError:
        raise InputError(f'{count} tokens of {self.tokens["kind"]} have no room for what a person tells; a history of '
                         'twice as many may, or fewer facts.') from None
      told_T = self.coder.encode(self.speech.conversation(list(_dated(told.turns))))
      if len(told_T) <= count:
        return told_T
      room = min(room - 1, room * count // len(told_T))

  def _question(self, rng, training):
    u = int(rng.integers(self.people))
    return u, self._task.asks.ask(self._task.asks.person(u), rng, training)

  def _fitting(self, rng, training):
    """A person and a question that fits."""
    for _ in range(DRAWN):
      u, question = self._question(rng, training)
      if self._size(question) <= self.asks.question:
        return u, question
    raise InputError(f'Questions of persona_text do not fit question={self.asks.question}; question=0 takes what they '
                     f'need, {self._longest()}.')

  def _held(self, i):
    return self._fitting(np.random.default_rng((HELDOUT, self.heldout_seed, i)), training=False)

  def _size(self, question) -> int:
    # The last token of what stands before an answer begins it.
    return len(self.coder.encode(self.speech.question(written(question)))) - 1

  def _longest(self) -> int:
    rng = np.random.default_rng(0)
    return max(self._size(self._question(rng, training=bool(i % 2))[1]) for i in range(LOOKED_AT))

  def _letter(self, u, question):
    """The row of a question and the right letter, of which that is asked for in which letters differ."""
    row = self.option(u, written(question), words.LETTERS[question.right])
    first = 1 + self.asks.question
    row['weights_BT'][first:first + len(self._differs)] *= self._differs
    return row

  @functools.cached_property
  def _differs(self) -> np.ndarray:
    """Where in an answer the letters differ."""
    rows = [self.coder.encode(self.speech.answer(letter)).tolist() for letter in words.LETTERS]
    if len(set(map(len, rows))) > 1:
      return np.ones(max(map(len, rows)), np.float32)
    return np.asarray([len(set(column)) > 1 for column in zip(*rows)], np.float32)


def written(question: persona_questions.Question) -> str:
  """A question as people write it."""
  return listed(words.plain(question.words), [words.spoken(option) for option in question.options])


def listed(question: str, options: list[str]) -> str:
  """A question, and its options with their letters, a line each."""
  if not options:
    return question
  return '\n'.join([question, *(f'{letter} {option}' for letter, option in zip(words.LETTERS, options)), LISTED])


def _dated(turns: list[persons.Turn]):
  """Turns as chat templates take them, the first of a day with its date."""
  before = None
  for turn in turns:
    year, month, day = turn.date
    date = '' if turn.date == before else f'[{day} {words.MONTHS[month - 1].capitalize()} {year}] '
    before = turn.date
    yield dict(turn.chat, content=date + turn.text)
