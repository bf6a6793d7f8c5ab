"""Memory as a layer: the memory first, sliding-window attention over what it says (Titans, equations 29 to 31).

m = M(x)     o = m + SW-Attn([P || norm(x + m)])     with residuals around both, as in all of the paper's blocks
"""

from latentmem.model import blocks
from latentmem.model.compose import interface


class Mal(interface.Attentive):
  """The memory compresses, attention looks at the near in its light.

  Attributes:
    window: Tokens that attention sees.
  """

  window: int = 64

  def setup(self):
    self.attention = self.make_attention(self.window, self.out_scale)
    if self.remembers:
      self.memory, self.norm = self.make_memory(), blocks.RMSNorm()

  def init_state(self, batch, dtype='float32'):
    state = dict(attention=self.attention.init_state(batch, dtype))
    return state | (dict(memory=self.memory.init_state(batch, dtype)) if self.remembers else {})

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    flags = dict(parallel=parallel, aligned=aligned)
    if not self.remembers:
      seen, y_BTD = self.attention(state['attention'], x_BTD, reset_BT, mask_BT, **flags)
      return dict(attention=seen), y_BTD
    held, m_BTD, *lent = self.memory(state['memory'], x_BTD, reset_BT, mask_BT, write_BT=write_BT, below=below,
                                     **flags)
    seen, y_BTD = self.attention(state['attention'], self.norm(x_BTD + m_BTD), reset_BT, mask_BT, **flags)
    return dict(attention=seen, memory=held), m_BTD + y_BTD, *lent
