"""What is said to questions about conversations, the likeliest token after each other, by LoCoMo's own metric.

B rows, T tokens, Q tokens of a question, A tokens of an answer at most.
"""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base.errors import InputError
from latentmem.data import spoken
from latentmem.tasks import locomo
from latentmem.train.state import fresh_carry
from launch.personalizing import reading, told


def check(source, longest: int) -> None:
  """Raises InputError where answers have no room, or what scores them is not installed: before anything is trained."""
  if not 0 <= longest <= source.asks.answer:
    raise InputError(f'--say={longest} is no number of tokens from 0 to {source.asks.answer}, for which a row of '
                     f'config.data.answer={source.asks.answer} has room.')
  if longest:
    locomo.f1('a', 'a')


def own_and_swapped(arm, params: dict, frozen: dict, longest: int) -> dict:
  """Scores of what is said from each conversation's own memory, and from that of another."""
  source, rows, variables = arm.source, arm.evaluate.rows, params | frozen
  say = jax.jit(lambda variables, tokens_BT: from_memory(arm.model, variables, tokens_BT, source.ends_V, longest))

  def scored(by):
    asked = source.asked(by)
    tokens_BT = begun(source, asked)
    filled_BT = np.concatenate([tokens_BT, tokens_BT[:1].repeat(-len(asked) % rows, 0)])
    said_BA = [np.asarray(say(variables, filled_BT[i:i + rows])) for i in range(0, len(filled_BT), rows)]
    return result(source, asked, np.concatenate(said_BA)[:len(asked)])
  return dict(own=scored(0), swapped=scored(1), longest=longest)


def from_memory(net, variables: dict, tokens_BT, ends_V, longest: int):
  """The likeliest answers to rows [person | question | where the answer begins], [B, A]."""
  of = lambda method, *args: net.apply(variables, *args, method=method)
  given = of('given', tokens_BT)
  carry, logits_BTV = of('read', fresh_carry(net, variables, len(tokens_BT)), given, tokens_BT[:, 1:])
  go_on = lambda carry, tokens_B1, mask_B1: of('go_on', carry, given, tokens_B1, mask_B1)
  return reading.likeliest(go_on, carry, logits_BTV[:, -1], jnp.asarray(ends_V), longest)


def with_text(base, source, turns: int, longest: int) -> dict:
  """Scores of what the base alone says behind the turns that BM25 finds nearest to each question; 0 for none."""
  asked = source.asked()
  texts = told.behind(source, asked, turns)
  read = reading.Reader(base, max(map(len, texts)), source.asks.length, 1, told.PIECE)
  said_BA = [read.says(read.history(text_T), tokens_1T, source.ends_V, longest)
             for text_T, tokens_1T in zip(texts, begun(source, asked)[:, None])]
  return result(source, asked, np.concatenate(said_BA)) | dict(turns=turns, longest=longest)


def begun(source, asked: list[spoken.Asked]) -> np.ndarray:
  """Rows of questions up to the token that an answer begins with, [B, 2 + Q]."""
  # Rows of a question differ only in what is said.
  return np.stack([each.rows[0]['tokens_BT'][:2 + source.question] for each in asked])


def result(source, asked: list[spoken.Asked], said_BA: np.ndarray) -> dict:
  """LoCoMo's metric of answers, and as `examples` the first answer of each category."""
  outputs = [source.text_of(said_A) for said_A in said_BA]
  examples = {}
  for each, output in zip(asked, outputs):
    examples.setdefault(each.category, dict(question=each.text, answer=each.question.answer, said=output))
  return locomo.scored([each.question for each in asked], outputs) | dict(examples=examples)
