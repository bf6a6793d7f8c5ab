"""What is made of questions about conversations: which of the answers on offer is likeliest, a byte of it.

    choice = argmin over options of -log p(option | question, memory or text) / bytes of the option

B rows, T tokens, O options.
"""

import math
from typing import NamedTuple

import jax
import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import locomo
from latentmem.train import evaluate
from latentmem.train.state import fresh_carry
from launch.personalizing import reading

PIECE = 256
NOTES = '''right, least, most: share of questions whose likeliest answer, a byte of it, is the right one, and its 95 %
interval (Wilson), as if all seeds were one model; by chance {chances}
swapped: the same questions with the memory of another conversation
numbers: trained for each conversation; shared: trained for all; kv_bytes: keys and values of what stands before a
question, on average'''


class Asked(NamedTuple):
  """A question and the answers it may be given: rows of the source, of which one is right."""

  person: int
  category: str
  text: str
  rows: list[dict]
  right: int
  question: locomo.Question | None = None


def questions(source, by: int = 0) -> list[Asked]:
  """All questions of all conversations, asked of the memory of the conversation itself, or of one so many on."""
  out = []
  for u, conversation in enumerate(source.read):
    for number, question in enumerate(conversation.questions):
      options, right = locomo.choices(conversation, number)
      rows = [source.option(u, question.text, option, (u + by) % source.people) for option in options]
      out.append(Asked(u, locomo.CATEGORIES[question.category], question.text, rows, right,
                       question))
  return out


def check(source) -> None:
  """Raises InputError where there is nothing to ask, nobody to swap memories with, or an answer does not fit."""
  if source.people < 2:
    raise InputError(f'Swapping memories takes another conversation; {source.path} holds {source.people}.')
  if not questions(source):
    raise InputError(f'{source.path} holds no questions.')


def own_and_swapped(arm, params: dict, frozen: dict) -> dict:
  """Scores with each conversation's own memory, and with that of another."""
  variables = params | frozen
  empty = jax.jit(lambda variables: fresh_carry(arm.model, variables, arm.evaluate.rows))(variables)
  read = jax.jit(lambda variables, batch: evaluate.score(arm.model, variables, empty, batch)[1])
  scored = lambda by: result(asked := questions(arm.source, by),
                             _in_batches(asked, lambda batch: read(variables, batch), arm.evaluate.rows))
  return dict(own=scored(0), swapped=scored(1))


def spoken(source, token: int) -> str:
  """The text of a token."""
  return source.coder.pieces([token])[0]


def examples(source) -> dict[str, np.ndarray]:
  """The first question of each category, asked of its own conversation."""
  return {each.category: each.rows[each.right]['tokens_BT'] for each in reversed(questions(source))}


def with_text(base, source, turns: int) -> dict:
  """Scores of the base alone behind the turns that BM25 finds nearest to each question, in their order; 0 for none."""
  asked, longest = questions(source), max(map(len, _options(source)))
  texts = behind(source, asked, turns)
  read = reading.Reader(base, max(map(len, texts)), source.asks.length, longest, PIECE)
  nats = []
  for each, text_T in zip(asked, texts):
    batch = _stacked(each.rows)
    nats_BT, _ = read.questions(read.history(text_T), batch['tokens_BT'], batch['targets_BT'])
    nats += (nats_BT * batch['weights_BT']).sum(1).tolist()
  return result(asked, nats) | dict(turns=turns, text=float(np.mean(list(map(len, texts)))))


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


def _options(source):
  return (locomo.choices(conversation, number)[0] for conversation in source.read
          for number in range(len(conversation.questions)))


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
