"""Conversations as persons: their turns to be remembered, questions about them to be answered. A row is one of either.

    [person | what stands before, padded | what is said]        1 + Q + A tokens

  training    a turn, cut at any word: date, speaker and the words before the cut | the rest of the turn
  held out    a question | its answer, of those questions that have one
  options     a question | each answer that it may be given (`locomo.choices`)

The last token of what stands before is the first of what is said, whose every other token is asked for. Of what stands
before the last Q tokens are read, and of a turn A - 1 are said; an answer has to fit. A turn is written as `transcript`
writes it, so a base that reads turns before a question reads the same text.
"""

import dataclasses
import functools
import hashlib
import json
import math

import numpy as np

from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.data import pipeline, source, tokens
from latentmem.data.task import TRAIN
from latentmem.tasks import locomo, text


@dataclasses.dataclass(frozen=True)
class Asks(text.Text):
  """Bits per byte of what is said, and the sizes of rows as `tasks.persona` has them."""

  vocab: int = 256
  people: int = 1
  question: int = 48
  length: int = 112


@dataclasses.dataclass(frozen=True)
class Conversations(source.Base):
  """LoCoMo's conversations.

  Attributes:
    path: A .json file, or a folder of them.
    tokens: Kind and fields of the tokens.
    words: Numbers that stand for words; person u is the number words + u. 0 takes as many as the tokens have.
    question: Q.
    answer: A.
  """

  path: str = ''
  tokens: dict = dataclasses.field(default_factory=lambda: dict(kind='bytes'))
  words: int = 0
  question: int = 48
  answer: int = 64

  def __post_init__(self):
    if self.question < 1 or self.answer < 2:
      raise InputError(f'conversations takes question=1 or more and answer=2 or more, not {self.question} and '
                       f'{self.answer}.')
    if not self.path:
      raise InputError('conversations needs a path: a .json file of LoCoMo, or a folder of them.')

  @classmethod
  def rooms(cls):
    return dict(tokens=tokens)

  @functools.cached_property
  def coder(self):
    """Text to tokens and back."""
    return tokens.make(**self.tokens)

  @functools.cached_property
  def read(self) -> list[locomo.Conversation]:
    """The conversations, by the number of the person that each is."""
    return locomo.read(self.path)

  @property
  def people(self) -> int:
    return len(self.read)

  @property
  def vocab(self):
    if 0 < self.words < self.coder.vocab:
      raise InputError(f'The tokens are {self.coder.vocab:,}, and there are numbers for {self.words:,} of them: the '
                       'base has another tokenizer.')
    return self.words or self.coder.vocab

  @functools.cached_property
  def asks(self) -> Asks:
    return Asks(vocab=self.vocab, people=self.people, question=self.question, length=1 + self.question + self.answer)

  @functools.cached_property
  def fingerprint(self):
    """Of the conversations, of the tokens and of the sizes; not of where they lie."""
    parts = [self.read, self.coder.fingerprint, self.vocab, self.question, self.answer]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

  def describe(self):
    return dict(kind='conversations', vocab=self.vocab, fingerprint=self.fingerprint, path=self.path,
                tokens=self.tokens, people=self.people, turns=len(self._turns),
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
    said = ends_line(spoken(turn)).split(' ')
    cut = int(rng.integers(len(said)))
    before = ' '.join([f'{turn.date}\n{turn.speaker}:', *said[:cut]])
    return self._row(u, before, ' ' + ' '.join(said[cut:]), whole=False)

  def option(self, u: int, asked: str, answer: str, person: int | None = None) -> dict:
    """The row of a question about conversation u and an answer, from the memory of `person`, u where it is None.

    Raises InputError for an answer that does not fit.
    """
    return self._row(u if person is None else person, f'Question: {asked}\nAnswer:', ends_line(f' {answer}'))

  def transcript(self, turns: list[locomo.Turn]) -> np.ndarray:
    """Turns as a base reads them, in tokens."""
    return self.coder.encode(''.join(ends_line(f'{turn.date}\n{turn.speaker}: {spoken(turn)}') for turn in turns))

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

  def _row(self, person, before, said, whole=True):
    """The arrays of a row, and bytes_BT that each target stands for."""
    *read, begins = self.coder.encode(before).tolist()
    said_N, bytes_N = self.coder.encode_sized(said)
    if whole and len(said_N) >= self.answer:
      raise InputError(f'The answer {said.strip()!r} has {len(said_N)} tokens, and there is room for '
                       f'{self.answer - 1}: answer={len(said_N) + 1} would do.')
    row = laid([*read[-self.question:], begins], said_N[:self.answer - 1], bytes_N, self.question, self.answer)
    row['tokens_BT'][0] = self.vocab + person
    return row

  def train(self, rows, length, align=1, seed=0, shard=0, shards=1, start=0):
    pipeline.check_seed(seed)
    self._check(length)

    def row(step, b):
      rng = np.random.default_rng((TRAIN, seed, step * rows + b))
      return self.turn(*self._turns[int(rng.integers(len(self._turns)))], rng)
    return pipeline.endless(row, rows, shard, shards, start)

  def heldout(self, rows, length, align=1, shard=0, shards=1):
    self._check(length)

    def row(step, b):
      i = step * rows + b
      u, question = self._answered[min(i, len(self._answered) - 1)]
      found = self.option(u, question.text, question.answer)
      return found if i < len(self._answered) else dict(found, weights_BT=np.zeros(length, np.float32))
    return pipeline.Batches(row, math.ceil(len(self._answered) / rows), rows, shard, shards)

  def _check(self, length):
    if length != self.asks.length:
      raise InputError(f'Rows of conversations have {self.asks.length} tokens, not {length}.')


def laid(before: list[int], said_N: np.ndarray, bytes_N: np.ndarray | None, question: int, answer: int) -> dict:
  """A row of nobody's: at most Q + 1 tokens that stand before, and N < A that are said, of so many bytes each."""
  *read, begins = before
  first, length = 1 + question, 1 + question + answer
  asked = slice(first, first + len(said_N))
  row = dict(tokens_BT=np.full(length, NOTHING, np.int32), targets_BT=np.zeros(length, np.int32),
             weights_BT=np.zeros(length, np.float32), reset_BT=np.arange(length) == 0,
             position_BT=np.arange(length, dtype=np.int32), bytes_BT=np.zeros(length, np.int32))
  row['tokens_BT'][1:1 + len(read)] = read
  row['tokens_BT'][asked] = [begins, *said_N[:-1]]
  row['targets_BT'][asked], row['weights_BT'][asked] = said_N, 1
  row['bytes_BT'][asked] = 1 if bytes_N is None else bytes_N[:len(said_N)]
  return row


def spoken(turn: locomo.Turn) -> str:
  """What somebody says, and shows, on one line."""
  return ' '.join(f'{turn.text} {turn.caption and f"[shows {turn.caption}]"}'.split())


def ends_line(line: str) -> str:
  return line + '\n'
