"""Attention alone mixes the tokens: the transformer that memories are measured against."""

from typing import ClassVar

from latentmem.model import blocks
from latentmem.model.compose import interface


class Attention(interface.Base):
  """y = Attn(x).

  Attributes:
    heads, head_width, persistent, rope_base, conv, qk_norm: As in `blocks.Attention`.
    window: Tokens seen; 0 sees the whole document, as far as `context` reaches.
    context: Tokens kept where there is no window.
  """

  takes_memory: ClassVar[bool] = False

  heads: int = 4
  head_width: int = 0
  window: int = 0
  context: int = 2048
  persistent: int = 0
  rope_base: float = 10_000.0
  conv: int = 0
  qk_norm: bool = True

  def setup(self):
    self.attention = blocks.Attention(
        self.width, self.heads, self.head_width, self.window or self.context, self.persistent, self.rope_base,
        self.conv, self.qk_norm, self.out_scale)

  def init_state(self, batch, dtype='float32'):
    return dict(attention=self.attention.init_state(batch, dtype))

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    seen, y_BTD = self.attention(state['attention'], x_BTD, reset_BT, mask_BT, parallel=parallel, aligned=aligned)
    return dict(attention=seen), y_BTD
