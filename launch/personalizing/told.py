"""What is made of questions in text (`data.spoken`): which of the answers on offer is likeliest, a byte of it.

    choice = argmin over options of -log p(option | question, memory or text) / bytes of the option

B rows, T tokens, O options.
"""

from collections.abc import Sequence
import math
import time

import jax
import numpy as np

from latentmem.base.errors import InputError
from latentmem.data.spoken import Asked
from latentmem.train import evaluate
from latentmem.train.state import fresh_carry
from launch.personalizing import histories, reading
from launch.personalizing.histories import Read

PIECE = 256
NOTES = '''right, least, most: share of questions whose likeliest answer, a byte of it, is the right one, and its 95 %
interval (Wilson), as if all seeds were one model; by chance {chances}
swapped: the same questions with the memory of another conversation
numbers: trained for each conversation; shared: trained for all; kv_bytes: keys and values of what stands before a
question, on average'''


def check(source, reads: Sequence[Read] = ()) -> None:
  """Raises InputError where there is nothing to ask, nobody to swap memories with, or something does not fit."""
  if source.people <= source.apart:
    raise InputError(f'Swapping memories takes a person {source.apart} on; {source.describe()["kind"]} has '
                     f'{source.people}, and {2 * source.apart} would do.')
  asked = {each.person for each in source.asked()}
  if not asked:
    raise InputError(f'There are no questions: {source.describe()}.')
  histories.check(reads, source.people, asked, lambda u, tokens: source.history(u, tokens))


def own_and_swapped(arm, params: dict, frozen: dict) -> dict:
  """Scores with each person's own memory, and with that of another."""
  variables = params | frozen
  empty = jax.jit(lambda variables: fresh_carry(arm.model, variables, arm.evaluate.rows))(variables)
  read = jax.jit(lambda variables, batch: evaluate.score(arm.model, variables, empty, batch)[1])
  scored = lambda by: result(asked := arm.source.asked(by),
                             _in_batches(asked, lambda batch: read(variables, batch), arm.evaluate.rows))
  return dict(own=scored(0), swapped=scored(arm.source.apart))


def spoken(source, token: int) -> str:
  """The text of a token."""
  return source.coder.pieces([token])[0]


def examples(source) -> dict[str, np.ndarray]:
  """The first question of each category, asked of its own person."""
  return {each.category: each.rows[each.right]['tokens_BT'] for each in reversed(source.asked())}


def with_text(base, source, turns: int) -> dict:
  """Scores of the base alone behind the turns that BM25 finds nearest to each question, in their order; 0 for none."""
  asked = source.asked()
  texts = behind(source, asked, turns)
  return _behind(base, source, asked, texts) | dict(turns=turns, text=float(np.mean(list(map(len, texts)))))


def with_history(base, source, read: Read) -> dict:
  """Scores of the base alone, each person's history before the question."""
  begun = time.monotonic()
  asked = [each for each in source.asked() if read.asks(each.person)]
  tell = lambda u: source.history(u, read.tokens) if read.tokens else np.zeros(0, np.int32)
  told = {u: tell(u) for u in {each.person for each in asked}}
  found = _behind(base, source, asked, [told[each.person] for each in asked])
  return found | dict(history=read.tokens, seconds=time.monotonic() - begun)


def _behind(base, source, asked: list[Asked], texts: list[np.ndarray]) -> dict:
  """Scores of the base alone behind a text for each question; one text of several in turn is read once."""
  longest = max(len(each.rows) for each in asked)
  read = reading.Reader(base, max(map(len, texts)), source.asks.length, longest, PIECE)
  nats, last = [], None
  for each, text_T in zip(asked, texts):
    if last is None or not np.array_equal(text_T, last):
      last, carry = text_T, read.history(text_T)
    batch = _stacked(each.rows)
    nats_BT, _ = read.questions(carry, batch['tokens_BT'], batch['targets_BT'])
    nats += (nats_BT * batch['weights_BT']).sum(1).tolist()
  return result(asked, nats)


def behind(source, asked: list[Asked], turns: int) -> list[np.ndarray]:
  """The turns that BM25 finds nearest to each question, in their order, in tokens; nothing for 0 turns."""
  best = [conversation.ranking().best for conversation in source.read]
  found = lambda each: sorted(best[each.person](each.text)[:turns]) if turns else []
  return [source.transcript([source.read[each.person].turns[i] for i in found(each)]) for each in asked]


def result(asked: list[Asked], nats: list[float]) -> dict:
  """Accuracy in all and by category, beside what choosing at random is right in, and bits a byte of right answers."""
  nats, found = iter(nats), []
  for each in asked:
    bytes_O = [row['bytes_BT'].sum() for row in each.rows]
    costs = [next(nats) for _ in each.rows]
    choice = int(np.argmin(np.divide(costs, bytes_O)))
    found.append((each.category, choice == each.right, 1 / len(each.rows), costs[each.right], bytes_O[each.right]))
  def of(rows):
    _, right, chance, cost, size = zip(*rows)
    return dict(accuracy=float(np.mean(right)), asked=len(rows), chance=float(np.mean(chance)),
                bits_per_byte=float(np.sum(cost) / np.sum(size) / math.log(2)))
  whole, kinds = of(found), dict.fromkeys(row[0] for row in found)
  return whole | dict(tokens=whole['asked'], by_type={
      kind: of([row for row in found if row[0] == kind]) for kind in kinds})


def notes(scores: dict) -> str:
  """NOTES with what choosing at random is right in."""
  kinds = dict(all=scores) | scores['by_type']
  return NOTES.format(chances=', '.join(f'{kind} {part["chance"]:.1%}' for kind, part in kinds.items()))


def _stacked(rows: list[dict]) -> dict:
  return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _in_batches(asked: list[Asked], read, size: int) -> list[float]:
  """-log p of every option of every question, in turn."""
  rows, nats = [row for each in asked for row in each.rows], []
  for i in range(0, len(rows), size):
    part = rows[i:i + size]
    batch = _stacked(part + part[:1] * (size - len(part)))
    nats_B = (np.asarray(read(batch)) * batch['weights_BT']).sum(1)
    nats += nats_B[:len(part)].tolist()
  return nats
