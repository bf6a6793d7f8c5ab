"""Sums in several steps, in the format of GSM8K (Cobbe et al. 2021, arXiv 2110.14168). Tokens are bytes and four marks.

  question   Natalia sold clips to 48 of her friends ...        7 + 5, * 2, - 3
  steps      <<48/2=24>>  <<48+24=72>>                          <<7+5=12>>  <<12*2=24>>  <<24-3=21>>
  answer     72                                                 21

A file holds one JSON object a line with question and answer; what the answer says between << and >> are the steps, what
it says after #### is the answer. Without a file, sums are drawn. Problems that do not fit are left out.
"""

import dataclasses
import functools
import operator
import re
import zlib

from latentmem.base.errors import InputError
from latentmem.tasks import chains, files

DOES = {'+': operator.add, '-': operator.sub, '*': operator.mul}


@dataclasses.dataclass(frozen=True)
class Arithmetic(chains.Chains):
  """Sums.

  Attributes:
    steps: Steps of a sum that is drawn.
    largest: No number on the way of a drawn sum is larger, and none is below 0.
    file: Problems to train on; '' draws them.
    heldout_file: Problems held out; '' holds out one in ten of those in the file or drawn, by a hash of the question.
  """

  question: int = 32
  rest: int = 64
  steps: int = 3
  largest: int = 99
  file: str = ''
  heldout_file: str = ''

  def __post_init__(self):
    super().__post_init__()
    if self.steps < 1 or self.largest < 9:
      raise InputError(f'arithmetic needs steps >= 1 and largest >= 9; it got steps={self.steps} and '
                       f'largest={self.largest}.')

  @functools.cached_property
  def words(self):
    return (*chains.SPECIAL, *(chr(byte) if 32 <= byte < 127 else f'<{byte}>' for byte in range(256)))

  def problem(self, rng, heldout=False):
    while not self.file and not (heldout and self.heldout_file):
      problem = self._sum(rng)
      self.check_fit([problem], f'Sums of {self.steps} steps')
      if _held_out(problem) == heldout:
        return problem
    problems = self.problems(heldout)
    return problems[rng.integers(len(problems))]

  def problems(self, heldout: bool) -> list[chains.Problem]:
    """All problems that are held out, or all others. Raises InputError that names file, line and key."""
    return self._taken(heldout)[0]

  @property
  def left_out(self):
    return self._taken(heldout=True)[1] if self.file or self.heldout_file else 0

  def _taken(self, heldout):
    path = self.heldout_file if heldout and self.heldout_file else self.file
    return _fitting(self, path, heldout, chains.changed(path))

  def heldout_problems(self, count, seed=0):
    filed = self.file or self.heldout_file
    return self.problems(heldout=True)[:count] if filed else super().heldout_problems(count, seed)

  def _sum(self, rng) -> chains.Problem:
    value = int(rng.integers(10))
    said, steps = [str(value)], []
    for _ in range(self.steps):
      moves = [(sign, n, does(value, n)) for sign, does in DOES.items() for n in range(2, 10)]
      moves = [move for move in moves if 0 <= move[-1] <= self.largest]
      sign, n, result = moves[rng.integers(len(moves))]
      said.append(f'{sign} {n}')
      steps.append(f'<<{value}{sign}{n}={result}>>')
      value = result
    return _tokens(f'{said[0]} {", ".join(said[1:])}', steps, str(value))


def _tokens(question: str, steps: list[str], answer: str) -> chains.Problem:
  numbers = lambda text: [len(chains.SPECIAL) + byte for byte in text.encode()]
  return chains.Problem(numbers(question), [numbers(step) for step in steps], numbers(answer))


@functools.lru_cache(maxsize=4)
def _fitting(task: Arithmetic, path: str, heldout: bool, changed: int) -> tuple[list[chains.Problem], int]:
  """What a task takes of a file that was last changed then, and how many problems it leaves out."""
  every = _problems(path)
  if not task.heldout_file:
    every = [p for p in every if _held_out(p) == heldout]
  fitting = list(filter(task.fits, every))
  if not fitting:
    raise InputError(f'None of the {len(every)} problems of {path} fits question={task.question}, rest={task.rest}.')
  return fitting, len(every) - len(fitting)


def _held_out(problem: chains.Problem) -> bool:
  """One question in ten, whatever stands beside it."""
  return zlib.crc32(bytes(token - len(chains.SPECIAL) for token in problem.question)) % 10 == 0


def _problems(path: str) -> list[chains.Problem]:
  lines = enumerate(files.text_of(path).split('\n'), 1)
  found = [_problem(line, f'{path}, line {number}') for number, line in lines if line.strip()]
  if not found:
    raise InputError(f'{path} holds no problems.')
  return found


def _problem(line: str, where: str) -> chains.Problem:
  record = files.json_of(line, where)
  question, told = (files.need(record, key, str, where) for key in ('question', 'answer'))
  worked, mark, answer = told.rpartition('####')
  answer = answer.strip().replace(',', '')
  if not mark or not answer:
    raise InputError(f"{where}: 'answer' says nothing after ####.")
  return _tokens(question, re.findall(r'<<[^<>]*>>', worked), answer)
