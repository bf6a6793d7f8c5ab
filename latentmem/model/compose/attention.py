"""Attention alone mixes the tokens: the transformer that memories are measured against."""

from typing import ClassVar

from latentmem.model.compose import interface


class Attention(interface.Attentive):
  """y = Attn(x).

  Attributes:
    window: Tokens seen; 0 sees the whole document, as far as `context` reaches.
    context: Tokens kept where there is no window.
  """

  takes_memory: ClassVar[bool] = False

  window: int = 0
  context: int = 2048
  persistent: int = 0

  def setup(self):
    self.attention = self.make_attention(self.window or self.context, self.out_scale)

  def init_state(self, batch, dtype='float32'):
    return dict(attention=self.attention.init_state(batch, dtype))

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    seen, y_BTD = self.attention(state['attention'], x_BTD, reset_BT, mask_BT, parallel=parallel, aligned=aligned)
    return dict(attention=seen), y_BTD
