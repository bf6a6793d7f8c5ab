"""Conversations as persons: their turns to be remembered, questions about them to be answered.

A row (`spoken`) is one of either:

  training    a turn, cut at any word: date, speaker and the words before the cut | the rest of the turn
  held out    a question | its answer, of those questions that have one
  options     a question | each answer that it may be given (`locomo.choices`)

Of what stands before the last Q tokens are read, and of a turn A - 1 are said; an answer has to fit. A turn is written
as `transcript` writes it, so a base that reads turns before a question reads the same text.
"""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from latentmem.base.errors import InputError
from latentmem.data import spoken
from latentmem.tasks import locomo, text

# Tokens of what is said at least, where they are counted: most turns are longer than most answers.
LEAST = 64


@dataclasses.dataclass(frozen=True)
class Asks(text.Text):
  """Bits per byte of what is said, and the sizes of rows as `tasks.persona` has them."""

  vocab: int = 256
  people: int = 1
  question: int = 48
  answer: int = 64

  @property
  def length(self):
    return 1 + self.question + self.answer


@dataclasses.dataclass(frozen=True)
class Conversations(spoken.Spoken):
  """LoCoMo's conversations.

  Attributes:
    path: A .json file, or a folder of them.
    answer: A; 0 for what the longest answer needs, or 64 where that is less.
  """

  path: str = ''
  answer: int = dataclasses.field(default=0, kw_only=True)

  def __post_init__(self):
    if self.question < 1 or self.answer < 2 and self.answer:
      raise InputError(f'conversations takes question=1 or more and answer=2 or more, or 0 for what is needed, not '
                       f'{self.question} and {self.answer}.')
    if not self.path:
      raise InputError('conversations needs a path: a .json file of LoCoMo, or a folder of them.')

  @functools.cached_property
  def read(self) -> list[locomo.Conversation]:
    """The conversations, by the number of the person that each is."""
    return locomo.read(self.path)

  @property
  def people(self) -> int:
    return len(self.read)

  @functools.cached_property
  def asks(self) -> Asks:
    return Asks(vocab=self.vocab, people=self.people, question=self.question, answer=self.answer or self._longest())

  def _longest(self) -> int:
    options = {option for conversation in self.read for number in range(len(conversation.questions))
               for option in locomo.choices(conversation, number)[0]}
    return max([LEAST, *(len(self.coder.encode(self.speech.answer(option))) + 1 for option in options)])

  @functools.cached_property
  def fingerprint(self):
    """Of the conversations, of the tokens and of the sizes; not of where they lie."""
    parts = [self.read, self.coder.fingerprint, self.vocab, self.question, self.asks.answer]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

  def describe(self):
    return dict(kind='conversations', vocab=self.vocab, fingerprint=self.fingerprint, path=self.path,
                tokens=self.tokens, speech=self.speech.fingerprint, people=self.people, turns=len(self._turns),
                heldout=dict(documents=len(self._answered)))

  @functools.cached_property
  def _turns(self) -> list[tuple[int, locomo.Turn]]:
    return [(u, turn) for u, conversation in enumerate(self.read) for turn in conversation.turns]

  @functools.cached_property
  def _answered(self) -> list[tuple[int, locomo.Question]]:
    return [(u, question) for u, conversation in enumerate(self.read) for question in conversation.questions
            if locomo.CATEGORIES[question.category] != 'adversarial']

  def turn(self, u: int, turn: locomo.Turn, rng: np.random.Generator) -> dict:
    """The row of a turn, cut at a word that is drawn."""
    said = ends_line(on_a_line(turn)).split(' ')
    cut = int(rng.integers(len(said)))
    before = ' '.join([f'{turn.date}\n{turn.speaker}:', *said[:cut]])
    return self._row(u, before, ' ' + ' '.join(said[cut:]), whole=False)

  def transcript(self, turns: list[locomo.Turn]) -> np.ndarray:
    """Turns as a base reads them, in tokens."""
    return self.coder.encode(''.join(ends_line(f'{turn.date}\n{turn.speaker}: {on_a_line(turn)}') for turn in turns))

  @functools.cached_property
  def ends_V(self) -> np.ndarray:
    """Whether each token ends what is said: the end of a line is in it, or the tokens say so."""
    ends_V = np.zeros(self.vocab, bool)
    ends_V[:self.coder.vocab] = ['\n' in piece for piece in self.coder.pieces(np.arange(self.coder.vocab))]
    ends_V[list(self.coder.stops)] = True
    return ends_V

  def text_of(self, said_A: np.ndarray) -> str:
    """What was said, on one line, without what ended it."""
    said = [token for token in said_A.tolist() if 0 <= token < self.coder.vocab and token not in self.coder.stops]
    return self.coder.decode(said).split('\n')[0].strip()

  def asked(self, by=0):
    out = []
    for u, conversation in enumerate(self.read):
      for number, question in enumerate(conversation.questions):
        options, right = locomo.choices(conversation, number)
        rows = [self.option(u, question.text, option, (u + by) % self.people) for option in options]
        out.append(spoken.Asked(u, locomo.CATEGORIES[question.category], question.text, rows, right, question))
    return out

  def drawn(self, rng):
    return self.turn(*self._turns[int(rng.integers(len(self._turns)))], rng)

  def held(self, i):
    u, question = self._answered[i]
    return self.option(u, question.text, question.answer)

  @property
  def heldout_rows(self):
    return len(self._answered)


def on_a_line(turn: locomo.Turn) -> str:
  """What somebody says, and shows."""
  return ' '.join(f'{turn.text} {turn.caption and f"[shows {turn.caption}]"}'.split())


def ends_line(line: str) -> str:
  return line + '\n'
