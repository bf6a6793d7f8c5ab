"""Unified recall: one question answered from long-term, short-term and new memory at once, and what each is worth.

    found = recall.answer(live, question, bank, ['ann'], length=20)
    found.tokens, found.shares                       # {'long': 11.2, 'short': 0.4, 'new': 3.1}, in bits

Sources are those of `model.sources`: slots of objects in a bank, the window, slots just written. They are joined and
asked together; the live session and the bank stay as they are. What a source is worth is measured on the answer
itself, by -log2 of the probability that the model gives it with sources taken away. With v(S) the bits that S saves,

  lost_i  = v(all) - v(all but i)                            what is lost with that one alone
  share_i = mean over all orders of adding sources of what i adds when it comes      (Shapley 1953)

Shares add up to v(all) exactly. Where two sources hold the same, neither is missed alone: both are lost for nothing,
and share what they save. Below 0 a source misled. `mass` is where the question looked among the slots, which is no
measure of what it found: weights of retrieval, mean over layers, steps, heads and the question's last tokens.
"""

from collections.abc import Sequence
import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.bank import store
from latentmem.base.errors import InputError
from latentmem.model import sources
from latentmem.session import sample, session
from latentmem.session.session import Session


class Recalled(NamedTuple):
  """An answer and where it comes from.

  Attributes:
    tokens: The answer.
    bits: What the answer costs by what there is, for every choice of sources: () for none of them.
    lost: For each source the bits that the answer costs more without it.
    shares: What each saves; they add up to bits[()] - bits[all].
    mass: Of retrieval from slots, for 'long' and 'new'.
  """

  tokens: list[int]
  bits: dict[tuple[str, ...], float]
  lost: dict[str, float]
  shares: dict[str, float]
  mass: dict[str, float]


def joined(live: Session, bank: store.Bank, names: Sequence[store.Reference]) -> Session:
  """A session that goes on from where a live one stands, with the slots of sessions in a bank beside its own.

  What waits in those to be read, or to be written to their slots, is read and written first.

  Raises InputError where an object is not there or is another model's, and for a model that has no slots.
  """
  sources.check(live.model)
  others, other, close = [], live.fork(), jax.jit(functools.partial(sources.closed, live.model))
  for name in names:
    other.get(bank, name)
    if len(other._unread):
      other._read(len(other._unread))
    others.append(dict(memory=dict(cell=close(live.params, other._carry['memory']['cell']))))
  model, params, carry = sources.joined(live.model, live.params, jax.tree.map(jnp.copy, live._carry), others)
  both = Session(model, params, live.piece)
  both._carry, both._unread, both.position = carry, live._unread, live.position
  return both


def answer(live: Session, question, bank: store.Bank, names: Sequence[store.Reference], length: int,
           sampler: sample.Sampler = sample.GREEDY, seed: int = 0, stops=(), told=None) -> Recalled:
  """Answers a question, or weighs an answer that is given.

  Args:
    live: Where it is asked; it stays as it is.
    question: Tokens [T], 1 at least.
    bank, names: Objects that sessions of the same model `put` there.
    length, sampler, seed, stops: As `generate` takes them.
    told: An answer's tokens, to be weighed in the place of one that is generated.

  Weighing is compiled for each length of question and answer.

  Raises InputError as `joined` does, and for an empty question or an answer of no token.
  """
  question = session.checked(question, live.model.vocab)
  if not len(question):
    raise InputError('There is no question; recall takes at least one token.')
  # What waits is read before others are there: it is new, and owes them nothing.
  own = live.fork()
  own.catch_up()
  both = joined(own, bank, names)
  asked = both.fork()
  asked.feed(question)
  weights = asked.think(write_back=False)['memory']['weights']
  tokens = list(asked.generate(length, sampler, seed, stops)) if told is None else list(told)
  if not tokens:
    raise InputError('An answer of no token cannot be weighed; take a greater length, or other stops.')
  read = np.concatenate([both._unread, question, session.checked(tokens, live.model.vocab)])
  bits = dict(zip(sources.CHOICES, weighed(both, read, len(tokens), live.model.memory['slots'])))
  everything = sources.SOURCES
  lost = {name: bits[tuple(s for s in everything if s != name)] - bits[everything] for name in everything}
  new = float(jnp.mean(jnp.sum(weights[..., :live.model.memory['slots']], -1)))
  mass = dict(long=float(jnp.mean(jnp.sum(weights, -1))) - new, new=new)
  return Recalled(tokens, bits, lost, shapley(bits), mass)


def weighed(both: Session, tokens, count: int, slots: int) -> list[float]:
  """Bits of the last `count` of tokens that a joined session reads, for every choice of sources."""
  def cost(params, carry, tokens_BT):
    fresh = both.model.apply(params, 1, method='init_state')
    _, logits_BTV = both.model.apply(params, sources.chosen(carry, fresh, slots), tokens_BT)
    return jnp.sum(session.surprise(logits_BTV[:, -count - 1:-1], tokens_BT[:, -count:]), 1)
  rows_BT = jnp.broadcast_to(jnp.asarray(tokens), (len(sources.CHOICES), len(tokens)))
  return np.asarray(jax.jit(cost)(both.params, both._carry, rows_BT), float).tolist()


def shapley(bits: dict[tuple[str, ...], float]) -> dict[str, float]:
  """What each source saves, by the cost of every choice of them."""
  orders = list(itertools.permutations(sources.SOURCES))
  at = lambda chosen: bits[tuple(s for s in sources.SOURCES if s in chosen)]
  saves = lambda name, order: at(order[:order.index(name)]) - at(order[:order.index(name) + 1])
  return {name: sum(saves(name, order) for order in orders) / len(orders) for name in sources.SOURCES}
