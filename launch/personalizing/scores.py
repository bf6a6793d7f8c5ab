"""What a memory scores on held-out questions: with its person's numbers, with another's, and a base that reads all.

B rows, T tokens, U people.
"""

from collections.abc import Sequence
import time

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import persona_words as words
from latentmem.train import evaluate
from launch.personalizing import histories, reading
from launch.personalizing.histories import Read

FAMILY = 4
# Rows of questions asked at once hold a history each: together no more tokens than these.
HELD = 2**20


class Swapped:
  """A source whose questions are each answered with the memories of all members of the next family, one after another.

  Whatever memories hold, they are right one time in four on average, if nothing else tells who asks: an option is right
  for one member of a family, and each member is asked as often as another.
  """

  def __init__(self, source):
    self.source, self.scorer = source, source.scorer

  def heldout(self, *args):
    return _Batches(self.source.heldout(*args), self._swapped)

  def _swapped(self, batch, member):
    asks = self.source.asks
    person_B = batch['tokens_BT'][:, 0] - asks.vocab
    other_B = (person_B // FAMILY + 1) * FAMILY % asks.people + member
    tokens_BT = batch['tokens_BT'].copy()
    # Rows that fill up a batch name nobody.
    tokens_BT[:, 0] = np.where(person_B >= 0, asks.vocab + other_B, tokens_BT[:, 0])
    return dict(batch, tokens_BT=tokens_BT)


class _Batches:
  """Each batch once for each member."""

  def __init__(self, batches, change):
    self._batches, self._change = batches, change

  def __len__(self):
    return len(self._batches) * FAMILY

  def __iter__(self):
    return (self._change(batch, member) for batch in self._batches for member in range(FAMILY))


def check(source, reads: Sequence[Read] = ()) -> None:
  """Raises InputError where there is nobody to swap memories with, or a history cannot be read."""
  people = source.asks.people
  if people <= FAMILY:
    raise InputError(f'Swapping memories takes another family; people={people} is one, {2 * FAMILY} are two.')
  histories.check(reads, people, _by_person(source), lambda u, tokens: source.asks.person(u).history(tokens))


def own_and_swapped(arm, params: dict, frozen: dict) -> dict:
  """Held-out scores with each person's own memory, and with those of another family."""
  read = lambda source: evaluate.heldout(arm.model, params | frozen, source, arm.place, arm.evaluate.rows,
                                         arm.source.asks.length)
  return dict(own=read(arm.source), swapped=_counted_once(read(Swapped(arm.source))))


def _counted_once(found: dict) -> dict:
  """Scores over every question as often as a family has members, with the number of questions."""
  once = lambda part: {name: value // FAMILY if name in ('examples', 'tokens', 'asked') else value
                       for name, value in part.items()}
  return once(found) | dict(by_type={kind: once(part) for kind, part in found['by_type'].items()})


def spoken(source, token: int) -> str:
  """The word of a token."""
  return words.spoken([token])


def examples(source) -> dict[str, np.ndarray]:
  """The first training question of each type, asked of the first person."""
  asks, rng, found = source.asks, np.random.default_rng(0), {}
  for _ in range(200):
    question = asks.ask(asks.person(0), rng, True)
    found.setdefault(question.kind, asks.example(0, question).tokens_T)
  return found


def with_history(base, source, read: Read, rows: int = 32, piece: int = 512) -> dict:
  """Scores of the base alone, each person's history before the question.

  A history is read once, in pieces, and its cache lent to all questions about its person.

  Args: rows: Of questions at once, at most. piece: Tokens at once.
  """
  asks, scorer, begun = source.asks, source.scorer(), time.monotonic()
  rows = max(1, min(rows, HELD // max(read.tokens, 1)))
  reader = reading.Reader(base, read.tokens, asks.length, rows, piece)
  for u, examples in sorted(_by_person(source).items()):
    if not read.asks(u):
      continue
    carry = reader.history(asks.person(u).history(read.tokens).tokens_T if read.tokens else np.zeros(0, np.int32))
    for i in range(0, len(examples), rows):
      tokens_BT, targets_BT, weights_BT = (np.stack(a) for a in zip(*examples[i:i + rows]))
      nats_BT, predicted_BT = reader.questions(carry, tokens_BT, targets_BT)
      scorer.add(dict(tokens_BT=tokens_BT, targets_BT=targets_BT, weights_BT=weights_BT,
                      reset_BT=np.arange(tokens_BT.shape[1]) == np.zeros((len(tokens_BT), 1))), nats_BT, predicted_BT)
  return scorer.result() | dict(history=read.tokens, seconds=time.monotonic() - begun)


def _by_person(source) -> dict[int, list]:
  """Held-out examples of each person."""
  found = {}
  for i in range(source.heldout_examples):
    example = source.heldout_example(i)
    found.setdefault(int(example.tokens_T[0]) - source.asks.vocab, []).append(example)
  return found
