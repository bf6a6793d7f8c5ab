"""Sources that ask persons in text: tokens of any kind, how a question is written in them, and rows of what is said.

    [person | what stands before, padded | what is said]        1 + Q + A tokens

The last token of what stands before is the first of what is said, whose every other token is asked for. A question is
written plainly, or by a chat template; so is what somebody says:

    plainly         Question: <question>            User: <content>
                    Answer: <answer>
    a template's    <|im_start|>user                <|im_start|>user
                    <question><|im_end|>            <content><|im_end|>
                    <|im_start|>assistant
                    <answer><|im_end|>
"""

from collections.abc import Mapping
import dataclasses
import functools
import hashlib
import json
import math
from typing import ClassVar, NamedTuple

import numpy as np

from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.data import pipeline, source, tokens
from latentmem.data.task import TRAIN
from latentmem.data.tokens import chat

# Stands for what somebody says where a template is asked what stands before it.
CONTENT = 'What somebody says.'


@dataclasses.dataclass(frozen=True)
class Speech:
  """How a base that reads text is asked, and answers.

  Attributes:
    coder: Text to tokens and back.
    template: Of conversations; None where text is plain.
  """

  coder: object
  template: chat.Chat | None = None

  @property
  def fingerprint(self) -> str:
    """Of all that decides how text is written; not of where it lies."""
    template = self.template and [self.template.template, dict(self.template.special)]
    return hashlib.sha256(json.dumps([self.coder.fingerprint, template], sort_keys=True).encode()).hexdigest()

  @property
  def ends(self) -> str:
    """What an answer ends with."""
    return '\n' if self.template is None else self.template.special.get('eos_token', '\n')

  def question(self, text: str) -> str:
    """All that stands before the answer to a question."""
    return f'Question: {text}\nAnswer:' if self.template is None else self._rendered(text)

  def answer(self, text: str) -> str:
    """An answer, or what somebody says."""
    return f'{" " if self.template is None else ""}{text}{self.ends}'

  def speaker(self, role: str) -> str:
    """What stands before that which 'user' or 'assistant' says."""
    if self.template is None:
      return f'{role.capitalize()}:'
    return self._before(self.template.text([dict(role=role, content=CONTENT)], add_generation_prompt=False), role)

  def conversation(self, turns: list[Mapping[str, str]]) -> str:
    """Turns with role and content, in the order in which they were said, as they stand before a `question`.

    A template that opens a conversation with words of its own writes these again before the question.
    """
    if self.template is None:
      return ''.join(self.speaker(turn['role']) + self.answer(turn['content']) for turn in turns)
    before, opening = self.opened(turns), self.speaker('user')
    if before.endswith(opening):
      return before.removesuffix(opening)
    return self.template.text(turns, add_generation_prompt=False)

  def opened(self, turns: list[Mapping[str, str]]) -> str:
    """All that a template writes before what the user says after these turns.

    A template may write the last turn of all in another way than one that another follows, such as with room for
    thoughts. Raises InputError where the template refuses the turns, or leaves out what the user says.
    """
    whole = self.template.text([*turns, dict(role='user', content=CONTENT)], add_generation_prompt=False)
    return self._before(whole, 'user')

  def asked(self, text: str) -> str:
    """What a template writes behind `opened`: what the user says, and the opening of the answer."""
    return self._rendered(text).removeprefix(self.speaker('user'))

  def _before(self, whole, role):
    before, found, _ = whole.rpartition(CONTENT)
    if not found:
      raise InputError(f'The chat template of {self.template.path} leaves out what a {role} says.')
    return before

  def _rendered(self, text):
    # A model that can think aloud is asked for the answer alone.
    return self.template.text([dict(role='user', content=text)], enable_thinking=False)


class Asked(NamedTuple):
  """A question and the answers it may be given: rows of a source, of which one is right.

  Attributes:
    question: As the task has it, where what is said can be scored too.
  """

  person: int
  category: str
  text: str
  rows: list[dict]
  right: int
  question: object = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spoken(source.Base):
  """A source of persons whom a base that reads text is asked about.

  Attributes:
    tokens: Kind and fields of the tokens.
    words: Numbers that stand for words; person u is the number words + u. 0 takes as many as the tokens have.
    question: Q.
    answer: A.
  """

  tokens: dict = dataclasses.field(default_factory=lambda: dict(kind='bytes'))
  words: int = 0
  question: int = 48
  answer: int = 64

  # Another person's memory is that of the one so many on; and whether options stand behind a question with letters.
  apart: ClassVar[int] = 1
  lists: ClassVar[bool] = False

  @classmethod
  def rooms(cls):
    return dict(tokens=tokens)

  @functools.cached_property
  def coder(self):
    """Text to tokens and back."""
    return tokens.make(**self.tokens)

  @property
  def speech(self) -> Speech:
    """How questions are asked."""
    return Speech(self.coder)

  @property
  def people(self) -> int:
    """U."""
    raise NotImplementedError

  def asked(self, by: int = 0) -> list[Asked]:
    """All held-out questions about all persons, asked of the memory of the person, or of one so many on."""
    raise NotImplementedError

  @property
  def vocab(self):
    if 0 < self.words < self.coder.vocab:
      raise InputError(f'The tokens are {self.coder.vocab:,}, and there are numbers for {self.words:,} of them: the '
                       'base has another tokenizer.')
    return self.words or self.coder.vocab

  def option(self, u: int, asked: str, answer: str, person: int | None = None) -> dict:
    """The row of a question about person u and an answer, from the memory of `person`, u where it is None.

    Raises InputError for an answer that does not fit.
    """
    return self._row(u if person is None else person, self.speech.question(asked), self.speech.answer(answer))

  def _row(self, person, before, said, whole=True):
    """The arrays of a row, and bytes_BT that each target stands for."""
    *read, begins = self.coder.encode(before).tolist()
    said_N, bytes_N = self.coder.encode_sized(said)
    question, answer = self.asks.question, self.asks.answer
    if whole and len(said_N) >= answer:
      raise InputError(f'The answer {said.strip()!r} has {len(said_N)} tokens, and there is room for {answer - 1}: '
                       f'answer={len(said_N) + 1} would do.')
    row = laid([*read[-question:], begins], said_N[:answer - 1], bytes_N, question, answer)
    row['tokens_BT'][0] = self.vocab + person
    return row

  def drawn(self, rng: np.random.Generator) -> dict:
    """A row of training."""
    raise NotImplementedError

  def held(self, i: int) -> dict:
    """Held-out row i."""
    raise NotImplementedError

  @property
  def heldout_rows(self) -> int:
    """How many there are."""
    raise NotImplementedError

  def train(self, rows, length, align=1, seed=0, shard=0, shards=1, start=0):
    pipeline.check_seed(seed)
    self._check(length)
    row = lambda step, b: self.drawn(np.random.default_rng((TRAIN, seed, step * rows + b)))
    return pipeline.endless(row, rows, shard, shards, start)

  def heldout(self, rows, length, align=1, shard=0, shards=1):
    self._check(length)
    last = self.heldout_rows - 1

    def row(step, b):
      i = step * rows + b
      found = self.held(min(i, last))
      return found if i <= last else dict(found, weights_BT=np.zeros(length, np.float32))
    return pipeline.Batches(row, math.ceil(self.heldout_rows / rows), rows, shard, shards)

  def _check(self, length):
    if length != self.asks.length:
      raise InputError(f'Rows of {self.describe()["kind"]} have {self.asks.length} tokens, not {length}.')


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
