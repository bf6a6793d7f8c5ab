"""Gated delta rule: the memory fades, and a key's old value makes way for the new one.

S_t = a_t (I - b_t k_t k_t') S_{t-1} + b_t k_t v_t'    y_t = S_t' q_t      Yang, Kautz and Hatamizadeh 2024
B batch, T tokens, H heads, K head width.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.memory import parts
from latentmem.ops import delta


class Delta(parts.Heads):
  """A matrix per head that every token corrects at its key.

  Attributes:
    decay_start: a at the start of training, for every token.
    write_start: b at the start of training, for every token.
  """

  decay_start: float = 0.99
  write_start: float = 0.5

  affine = True

  def setup(self):
    super().setup()
    self.decay = self.scalar('decay', self.decay_start)
    self.write = self.scalar('write', self.write_start)

  def init_cell(self, batch):
    heads, head_width = self.head_shape
    return jnp.zeros((batch, heads, head_width, head_width), self.state_dtype)

  def driven(self, written_BTD, q, k, v):
    log_a_BTH = jax.nn.log_sigmoid(self.logits(written_BTD, self.decay))
    b_BTH = jax.nn.sigmoid(self.logits(written_BTD, self.write))
    return parts.unit(q), parts.unit(k), v, log_a_BTH, b_BTH

  def one(self, cell, drive_B, fresh, reset_B):
    return delta.delta_one(arrays.pick(reset_B, fresh, cell), *drive_B)

  def many(self, cell, drive_BT, fresh, reset_BT):
    return delta.delta_chunked(cell, *drive_BT, reset_BT, self.chunk)

  def transit(self, drive_BT, fresh, reset_BT):
    q, k, v, *gates = drive_BT
    one = jnp.broadcast_to(jnp.eye(k.shape[-1], dtype=fresh.dtype), fresh.shape)
    # What becomes of the columns of the identity while nothing is told is the matrix that all columns go through.
    turned, _ = self.many(one, (q, k, jnp.zeros_like(v), *gates), fresh, reset_BT)
    return turned, self.many(jnp.zeros_like(fresh), drive_BT, fresh, reset_BT)[0]

  def passed(self, transit, cell):
    turned, added = transit
    return turned @ cell + added

  def peek(self, cell, drive_BT):
    return jnp.einsum('bthk,bhkv->bthv', drive_BT[0], cell)
