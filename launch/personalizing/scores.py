"""What a memory scores on held-out questions: with its person's numbers, with another's, and a base that reads all.

B rows, T tokens, U people.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model as models
from latentmem.base.errors import InputError
from latentmem.data.task import HELDOUT
from latentmem.model.interface import Base as Model
from latentmem.train import evaluate
from latentmem.train.state import batch_axes, fresh_carry

FAMILY = 4


class Swapped:
  """A source whose questions are answered with the memory of somebody else, so many persons on."""

  def __init__(self, source, by: int):
    self.source, self.by, self.scorer = source, by, source.scorer

  def heldout(self, *args):
    return _Batches(self.source.heldout(*args), self._swapped)

  def _swapped(self, batch):
    asks = self.source.asks
    person_B = (batch['tokens_BT'][:, 0] - asks.vocab + self.by) % asks.people
    tokens_BT = batch['tokens_BT'].copy()
    # Rows that fill up a batch name nobody.
    tokens_BT[:, 0] = np.where(batch['tokens_BT'][:, 0] >= asks.vocab, asks.vocab + person_B, tokens_BT[:, 0])
    return dict(batch, tokens_BT=tokens_BT)


class _Batches:

  def __init__(self, batches, change):
    self._batches, self._change = batches, change

  def __len__(self):
    return len(self._batches)

  def __iter__(self):
    return map(self._change, self._batches)


def own_and_swapped(arm, params: dict, frozen: dict) -> dict:
  """Held-out scores with each person's own memory, and with that of a person of another family."""
  read = lambda source: evaluate.heldout(arm.model, params | frozen, source, arm.place, arm.evaluate.rows,
                                         arm.source.asks.length)
  people = arm.source.asks.people
  if people <= FAMILY:
    raise InputError(f'Swapping memories takes another family; people={people} is one, {2 * FAMILY} are two.')
  return dict(own=read(arm.source), swapped=read(Swapped(arm.source, FAMILY)))


def with_history(base, source, history: int, rows: int = 32, piece: int = 512) -> dict:
  """Scores of the base alone, each person's history of so many tokens before the question; 0 for the question alone.

  A history is read once, in pieces, and its cache lent to all questions about its person.
  """
  asks, scorer, begun = source.asks, source.scorer(), time.monotonic()
  read = _Reader(base, -(-history // piece) * piece + asks.length, rows)
  for u, examples in sorted(_by_person(source).items()):
    carry = read.history(asks.person(u).history(history).tokens_T if history else np.zeros(0, np.int32), piece)
    for i in range(0, len(examples), rows):
      tokens_BT, targets_BT, weights_BT = (np.stack(a) for a in zip(*examples[i:i + rows]))
      nats_BT, predicted_BT = read.questions(carry, tokens_BT, targets_BT)
      scorer.add(dict(tokens_BT=tokens_BT, targets_BT=targets_BT, weights_BT=weights_BT,
                      reset_BT=np.arange(tokens_BT.shape[1]) == np.zeros((len(tokens_BT), 1))), nats_BT, predicted_BT)
  return scorer.result() | dict(history=history, seconds=time.monotonic() - begun)


def _by_person(source) -> dict[int, list]:
  """Held-out examples of each person."""
  found = {}
  for i in range(source.heldout_examples):
    example = source.example(HELDOUT, source.heldout_seed, i)
    found.setdefault(int(example.tokens_T[0]) - source.asks.vocab, []).append(example)
  return found


class _Reader:
  """The base, reading a history and then questions, each in one compiled program."""

  def __init__(self, base, context: int, rows: int):
    self.net: Model = models.make(**base.seeing(context))
    self.params, self.rows = dict(params=base.params), rows
    self._axes = batch_axes(self.net, self.params)
    self._read = jax.jit(self._reads)
    self._ask = jax.jit(self._asks)

  def history(self, tokens_T, piece: int):
    """The carry after a history, of one row."""
    carry = jax.jit(lambda params: fresh_carry(self.net, params, 1))(self.params)
    for i in range(0, len(tokens_T), piece):
      part = tokens_T[i:i + piece]
      padded = np.pad(part, (0, piece - len(part)))[None]
      carry = self._read(self.params, carry, padded, (np.arange(piece) < len(part))[None])
    return carry

  def questions(self, carry, tokens_BT, targets_BT):
    """-log p(target) and the likeliest token at every place of rows [person | question | answer]."""
    rows = len(tokens_BT)
    filled = lambda a_BT: np.concatenate([a_BT, a_BT[:1].repeat(self.rows - rows, 0)])
    # The person is for those who know persons; a base is asked the question alone.
    tokens_BT = filled(tokens_BT).copy()
    tokens_BT[:, 0] = -1
    nats_BT, predicted_BT = self._ask(self.params, carry, tokens_BT, filled(targets_BT))
    return np.asarray(nats_BT)[:rows], np.asarray(predicted_BT)[:rows]

  def _reads(self, params, carry, tokens_BT, mask_BT):
    carry, _ = self.net.apply(params, carry, tokens_BT, None, mask_BT)
    return carry

  def _asks(self, params, carry, tokens_BT, targets_BT):
    lent = lambda a, axis: a if axis < 0 else jnp.repeat(a, len(tokens_BT), axis)
    carry = jax.tree.map(lent, carry, self._axes)
    _, logits_BTV = self.net.apply(params, carry, jnp.maximum(tokens_BT, 0), None, tokens_BT >= 0)
    logits_BTV = logits_BTV.astype(jnp.float32)
    chosen_BT = jnp.take_along_axis(logits_BTV, targets_BT[..., None], -1)[..., 0]
    return jax.nn.logsumexp(logits_BTV, -1) - chosen_BT, jnp.argmax(logits_BTV, -1)
