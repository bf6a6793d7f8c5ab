"""Memory as a gate: a memory beside sliding-window attention (Titans, equations 26 to 28).

y = SW-Attn([P || x])     m = M(x)     o = norm(y) * sigmoid(norm(m))     with norms whose scales are learned vectors
B batch (rows), T tokens, D model width. Persistent tokens P meet the attention only; the memory has its learned start.
"""

from flax import linen as nn
import jax.numpy as jnp

from latentmem.base.errors import check_known
from latentmem.model import blocks
from latentmem.model.compose import interface

JOINS = ('gate', 'sum')


class Mag(interface.Attentive):
  """Attention for the near, the memory for the far.

  Attributes:
    window: Tokens that attention sees.
    join: 'gate' is the paper's norm(y) sigmoid(norm(m)); 'sum' is norm(y) + norm(m).
  """

  window: int = 64
  join: str = 'gate'

  def setup(self):
    check_known(self.join, JOINS, 'mag', 'join')
    self.attention = self.make_attention(self.window, 1.0 if self.remembers else self.out_scale)
    if self.remembers:
      self.memory = self.make_memory()
      self.attention_norm, self.memory_norm = blocks.RMSNorm(), blocks.RMSNorm()
      start = nn.initializers.variance_scaling(self.out_scale**2, 'fan_in', 'normal')
      self.out = self.param('out', start, (self.width, self.width), jnp.float32)

  def init_state(self, batch, dtype='float32'):
    state = dict(attention=self.attention.init_state(batch, dtype))
    return state | (dict(memory=self.memory.init_state(batch, dtype)) if self.remembers else {})

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    flags = dict(parallel=parallel, aligned=aligned)
    seen, y_BTD = self.attention(state['attention'], x_BTD, reset_BT, mask_BT, **flags)
    if not self.remembers:
      return dict(attention=seen), y_BTD
    held, m_BTD, *lent = self.memory(state['memory'], x_BTD, reset_BT, mask_BT, write_BT=write_BT, below=below,
                                     **flags)
    y_BTD, m_BTD = self.attention_norm(y_BTD), self.memory_norm(m_BTD)
    joined_BTD = y_BTD * nn.sigmoid(m_BTD) if self.join == 'gate' else y_BTD + m_BTD
    return dict(attention=seen, memory=held), joined_BTD @ self.out.astype(x_BTD.dtype), *lent
