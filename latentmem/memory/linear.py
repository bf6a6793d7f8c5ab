"""Linear attention with decay: what was written fades, and nothing is taken back.

S_t = a_t S_{t-1} + k_t v_t'    y_t = S_t' q_t         Katharopoulos et al. 2020; a_t from the token, Yang et al. 2023
B batch, T tokens, H heads, K head width.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.memory import parts
from latentmem.ops import linear


class Linear(parts.Heads):
  """A matrix per head that every token adds to.

  Attributes:
    decay_start: a at the start of training, for every token.
  """

  decay_start: float = 0.99

  affine = True

  def setup(self):
    super().setup()
    self.decay = self.scalar('decay', self.decay_start)

  def init_cell(self, batch):
    heads, head_width = self.head_shape
    return jnp.zeros((batch, heads, head_width, head_width), self.state_dtype)

  def driven(self, written_BTD, q, k, v):
    return q * q.shape[-1] ** -0.5, k, v, jax.nn.log_sigmoid(self.logits(written_BTD, self.decay))

  def one(self, cell, drive_B, fresh, reset_B):
    return linear.linear_one(arrays.pick(reset_B, fresh, cell), *drive_B)

  def many(self, cell, drive_BT, fresh, reset_BT):
    return linear.linear_chunked(cell, *drive_BT, reset_BT, self.chunk)

  def transit(self, drive_BT, fresh, reset_BT):
    faded_BH = jnp.where(reset_BT.any(1)[:, None], 0, jnp.exp(jnp.sum(drive_BT[-1], axis=1)))
    return faded_BH, self.many(jnp.zeros_like(fresh), drive_BT, fresh, reset_BT)[0]

  def passed(self, transit, cell):
    faded_BH, added = transit
    return faded_BH[..., None, None] * cell + added

  def peek(self, cell, drive_BT):
    return jnp.einsum('bthk,bhkv->bthv', drive_BT[0], cell)
