"""Questions whose answers take steps, laid out so that a model can think in the place of the steps.

  question BEGIN | thought ... | END step ... step SAY answer STOP

Stage s of a curriculum leaves out the first s steps and thinks s * per_step thoughts in their place, or `most`, where
that is less; the last stage leaves out all steps (Hao et al. 2024, arXiv 2412.06769, section 3), and END as well if
it is `direct`: SAY itself ends the thoughts then, and an answer takes a pass less. Where every `answer` has as many
tokens, none needs STOP, which is a pass less too. Other ways to learn are curricula too:

  steps in words, always        stages = 0
  answers alone, no thoughts    stages = 1, per_step = 0, stage_examples = 0
  the curriculum alone          per_step = 0

B batch (rows), T tokens, Q tokens of a question, K thoughts, A tokens of the rest.
"""

import dataclasses
import functools
import os
from typing import ClassVar, NamedTuple

import numpy as np

from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING, THOUGHT
from latentmem.tasks import answers, files, interface

BEGIN, END, SAY, STOP = range(4)
SPECIAL = ('<begin>', '<end>', '<say>', '<stop>')


class Problem(NamedTuple):
  """One question, in token numbers.

  Attributes:
    question: Tokens.
    steps: Tokens of each step towards the answer.
    answer: Tokens.
    graph: What the question is about, where a figure can show it; else None.
  """

  question: list[int]
  steps: list[list[int]]
  answer: list[int]
  graph: object = None


def changed(path: str) -> int:
  """When a file last changed, for what is kept of it; 0 where there is none."""
  return os.stat(path).st_mtime_ns if os.path.exists(path) else 0


@dataclasses.dataclass(frozen=True)
class Chains(interface.Base):
  """What a kind of questions has in common.

  Attributes:
    question: Q, BEGIN included.
    rest: A.
    stages: Of the curriculum; 0 keeps all steps for ever.
    per_step: Thoughts that take the place of a step; 0 for none.
    most: Thoughts of a row, however many steps they stand for; 0 for stages * per_step.
    direct: Whether SAY follows the thoughts at once where all steps are left out.
    answer: Tokens of an answer, where all have as many: STOP does not follow them. 0 where it does.
    stage_examples: Training examples of each stage; 0 is at the last stage from the start.
    first_examples: The same for the stage that keeps all steps, which all others build upon; 0 for stage_examples.
    mix: Share of training examples that are of any stage, each as likely.
  """

  question: int = 0
  rest: int = 0
  stages: int = 6
  per_step: int = 1
  most: int = 0
  direct: bool = False
  answer: int = 0
  stage_examples: int = 0
  first_examples: int = 0
  mix: float = 0.0

  # Where problems are read from, in kinds that have it as a field.
  file: ClassVar[str] = ''
  heldout_file: ClassVar[str] = ''

  def __post_init__(self):
    whole = dict.fromkeys(('stages', 'per_step', 'most', 'answer', 'stage_examples', 'first_examples'), 0)
    for name, least in dict(question=2, rest=3, **whole).items():
      if getattr(self, name) < least:
        raise InputError(f'{self.name} needs {name} of {least} or more, not {getattr(self, name)}.')
    if not 0 <= self.mix <= 1:
      raise InputError(f'{self.name} takes a mix from 0 to 1, not {self.mix}.')

  @property
  def drawn_from(self):
    return b''.join(files.text_of(path).encode() for path in (self.file, self.heldout_file) if path)

  @property
  def name(self) -> str:
    """The kind."""
    return type(self).__module__.rpartition('.')[2]

  @property
  def words(self) -> tuple[str, ...]:
    """What each token is called."""
    raise NotImplementedError

  def problem(self, rng: np.random.Generator, heldout: bool = False) -> Problem:
    """Any problem of this kind; `heldout` for one that training does not see."""
    raise NotImplementedError

  @property
  def left_out(self) -> int:
    """Held-out problems of a file that are not asked, for they do not fit."""
    return 0

  @functools.cached_property
  def number(self) -> dict[str, int]:
    """The token that each word is."""
    return {word: i for i, word in enumerate(self.words)}

  @property
  def vocab(self) -> int:
    """Words there are."""
    return len(self.words)

  @property
  def thoughts(self) -> int:
    """K."""
    return self._instead(self.stages)

  def _instead(self, steps: int) -> int:
    """Thoughts that take the place of so many steps."""
    return min(steps * self.per_step, self.most or steps * self.per_step)

  @property
  def opens(self) -> int:
    """The token after the thoughts of the last stage."""
    return self._opening(self.stages)

  @property
  def ends(self) -> tuple[int, int] | None:
    """The token, and how many after it end an answer that has no STOP."""
    return (SAY, self.answer) if self.answer else None

  def _opening(self, stage: int) -> int:
    return SAY if self.direct and stage == self.stages > 0 else END

  @property
  def length(self) -> int:
    """T: Q + K + A."""
    return self.question + self.thoughts + self.rest

  def draw(self, rng):
    """A held-out example, of the last stage."""
    return self.example(self.problem(rng, heldout=True), self.stages)

  def draw_at(self, rng, i):
    problem, stage = self.problem(rng), self.stages
    if self.stage_examples:
      first = self.first_examples or self.stage_examples
      stage = min(max(0, 1 + (i - first) // self.stage_examples), self.stages)
    if self.mix and rng.random() < self.mix:
      stage = int(rng.integers(self.stages + 1))
    return self.example(problem, stage)

  def example(self, problem: Problem, stage: int) -> interface.Example:
    """The problem's row at a stage. Raises InputError where it does not fit."""
    last = stage == self.stages > 0
    steps = [] if last else problem.steps[stage:]
    if self.answer and len(problem.answer) != self.answer:
      raise InputError(f'An answer of {self.name} has {len(problem.answer)} tokens, and the task says that each has '
                       f'{self.answer}: answer=0 has them end in a token of their own.')
    opening, says = self._opening(stage), [SAY, *problem.answer, *([] if self.answer else [STOP])]
    rest = says if opening == SAY else [opening, *(token for step in steps for token in step), *says]
    tokens_T, targets_T = np.full(self.length, NOTHING, np.int32), np.zeros(self.length, np.int32)
    weights_T = np.zeros(self.length, np.float32)
    begins = self.question + self.thoughts
    tokens_T[:self.question] = self.asked(problem)
    tokens_T[self.question:self.question + self._instead(stage)] = THOUGHT
    self._lay(tokens_T, begins, self.rest, rest[:-1], 'rest')
    targets_T[begins:begins + len(rest) - 1] = rest[1:]
    weights_T[begins:begins + len(rest) - 1] = 1
    return interface.Example(tokens_T, targets_T, weights_T)

  def heldout_problems(self, count: int, seed: int = 0) -> list[Problem]:
    """Problems that training does not see."""
    return [self.problem(np.random.default_rng((1, seed, i)), heldout=True) for i in range(count)]

  def room(self, problem: Problem) -> tuple[int, int]:
    """Tokens of question and of rest that a problem takes, all its steps in words."""
    ends = 1 if self.answer else 2
    return len(problem.question) + 1, sum(map(len, problem.steps)) + len(problem.answer) + ends

  def fits(self, problem: Problem) -> bool:
    question, rest = self.room(problem)
    return question <= self.question and rest <= self.rest

  def check_fit(self, problems: list[Problem], where: str) -> None:
    """Raises InputError, saying what would do for all, where some of these problems do not fit."""
    question, rest = map(max, zip(*map(self.room, problems)))
    if question > self.question or rest > self.rest:
      raise InputError(f'{where} take up to {question} tokens of question and {rest} of rest, and there is room for '
                       f'{self.question} and {self.rest}: question={max(question, self.question)}, '
                       f'rest={max(rest, self.rest)} would do for all.')

  def right(self, problem: Problem, said: list[int]) -> bool:
    """Whether what was said after `opens` has the answer behind its last SAY."""
    said = [self.opens, *said]
    return SAY in said and said[len(said) - said[::-1].index(SAY):] == problem.answer

  def asked(self, problem: Problem) -> np.ndarray:
    """What a model reads before it thinks, [Q]. Raises InputError where it does not fit."""
    tokens_Q = np.full(self.question, NOTHING, np.int32)
    self._lay(tokens_Q, 0, self.question, [*problem.question, BEGIN], 'question')
    return tokens_Q

  def _lay(self, tokens_T, start, room, tokens, span):
    if len(tokens) > room:
      raise InputError(f'A problem of {self.name} takes {len(tokens)} tokens of {span}, and there is room for {room}: '
                       f'{span}={len(tokens)} would do for this one.')
    tokens_T[start:start + len(tokens)] = tokens

  def scorer(self):
    return answers.Answers()
