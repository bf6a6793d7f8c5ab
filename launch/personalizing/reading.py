"""A base by itself, reading a text and then questions about it, or answering them.

B rows, T tokens, A tokens of an answer at most, V vocabulary.
"""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model as models
from latentmem.base.spans import NOTHING
from latentmem.model.interface import Base as Model
from latentmem.train.state import batch_axes, fresh_carry

# A text of more pieces than these is read with room for an eighth of it, then for two: room costs as if it were full.
ROOMS = 8


class Reader:
  """Reads texts in pieces of so many tokens, and lends what it keeps of one to rows of questions.

  Args: longest: Tokens of a text at most. question: Of a row of questions.
  """

  def __init__(self, base, longest: int, question: int, rows: int, piece: int):
    pieces = -(-longest // piece)
    parts = range(1, ROOMS) if pieces > ROOMS and base.seeing(1) != base.seeing(2) else ()
    self._rooms = [*(-(-pieces * part // ROOMS) * piece for part in parts), pieces * piece + question]
    self._nets = {room: models.make(**base.seeing(room)) for room in self._rooms}
    self.net: Model = self._nets[self._rooms[-1]]
    self.params, self.rows, self.piece = dict(params=base.params), rows, piece
    self._axes = batch_axes(self.net, self.params)
    self._begin = jax.jit(lambda params, room: fresh_carry(self._nets[room], params, 1), static_argnames='room')
    self._read, self._ask = jax.jit(self._reads, static_argnames='room'), jax.jit(self._asks)
    self._say = jax.jit(self._says, static_argnames='longest')

  def history(self, tokens_T):
    """The carry after a text, of one row."""
    piece = self.piece
    room, *wider = self._rooms
    carry = self._begin(self.params, room=room)
    for i in range(0, len(tokens_T), piece):
      if i + piece > room and wider:
        room = wider.pop(0)
        carry = self._widened(carry, room)
      part = tokens_T[i:i + piece]
      padded = np.pad(part, (0, piece - len(part)))[None]
      carry = self._read(self.params, carry, padded, (np.arange(piece) < len(part))[None], room=room)
    return self._widened(carry, wider[-1]) if wider else carry

  def questions(self, carry, tokens_BT, targets_BT):
    """-log p(target) and the likeliest token at every place of rows [person | question | answer]."""
    rows = len(tokens_BT)
    filled = lambda a_BT: np.concatenate([a_BT, a_BT[:1].repeat(self.rows - rows, 0)])
    # The person is for those who know persons; a base is asked the question alone.
    tokens_BT = filled(tokens_BT).copy()
    tokens_BT[:, 0] = -1
    nats_BT, predicted_BT = self._ask(self.params, carry, tokens_BT, filled(targets_BT))
    return np.asarray(nats_BT)[:rows], np.asarray(predicted_BT)[:rows]

  def says(self, carry, tokens_BT, ends_V, longest: int):
    """The likeliest answers to rows [person | question | where the answer begins], as `likeliest` gives them."""
    tokens_BT = tokens_BT.copy()
    tokens_BT[:, 0] = NOTHING
    return np.asarray(self._say(self.params, carry, tokens_BT, ends_V, longest=longest))

  def _widened(self, carry, room):
    """The carry with more room behind what it holds."""
    want = jax.eval_shape(lambda params: fresh_carry(self._nets[room], params, 1), self.params)
    more = lambda a, wide: jnp.pad(a, [(0, new - old) for old, new in zip(a.shape, wide.shape)])
    return jax.tree.map(more, carry, want)

  def _reads(self, params, carry, tokens_BT, mask_BT, room):
    carry, _ = self._nets[room].apply(params, carry, tokens_BT, None, mask_BT)
    return carry

  def _lent(self, params, carry, tokens_BT):
    """Rows read behind a text, each with the same carry -> carry, logits_BTV."""
    lent = lambda a, axis: a if axis < 0 else jnp.repeat(a, len(tokens_BT), axis)
    carry = jax.tree.map(lent, carry, self._axes)
    return self.net.apply(params, carry, jnp.maximum(tokens_BT, 0), None, tokens_BT >= 0)

  def _says(self, params, carry, tokens_BT, ends_V, longest):
    carry, logits_BTV = self._lent(params, carry, tokens_BT)
    go_on = lambda carry, tokens_B1, mask_B1: self.net.apply(params, carry, tokens_B1, None, mask_B1)
    return likeliest(go_on, carry, logits_BTV[:, -1], ends_V, longest)

  def _asks(self, params, carry, tokens_BT, targets_BT):
    _, logits_BTV = self._lent(params, carry, tokens_BT)
    logits_BTV = logits_BTV.astype(jnp.float32)
    chosen_BT = jnp.take_along_axis(logits_BTV, targets_BT[..., None], -1)[..., 0]
    return jax.nn.logsumexp(logits_BTV, -1) - chosen_BT, jnp.argmax(logits_BTV, -1)


def likeliest(go_on, carry, logits_BV, ends_V, longest: int):
  """The likeliest tokens after each other, [B, A]: one of `ends_V` is the last of its row, NOTHING stands behind it.

  Args:
    go_on: (carry, tokens_B1, mask_B1) -> carry, logits_B1V.
    logits_BV: Of the first token.
    longest: A.
  """
  first_B = jnp.argmax(logits_BV, -1).astype(jnp.int32)
  rows = len(first_B)

  def going(loop):
    a, _, _, going_B, _ = loop
    return (a < longest) & jnp.any(going_B)

  def body(loop):
    a, carry, tokens_BA, going_B, next_B = loop
    tokens_BA = tokens_BA.at[:, a].set(jnp.where(going_B, next_B, NOTHING))
    going_B &= ~ends_V[next_B]
    carry, logits_B1V = go_on(carry, next_B[:, None], going_B[:, None])
    return a + 1, carry, tokens_BA, going_B, jnp.argmax(logits_B1V[:, 0], -1).astype(jnp.int32)

  start = 0, carry, jnp.full((rows, longest), NOTHING, jnp.int32), jnp.ones(rows, bool), first_B
  return jax.lax.while_loop(going, body, start)[2]
