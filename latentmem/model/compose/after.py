"""A memory after each attention layer: the sequence is mixed first, then the memory reads what came of it.

y = Mix(x)     s = x + y     o = y + W_o [s ; norm(M(norm(s)))]     with W_o zero at the start of training

The mixer inside is attention, or any composition with a memory of its own: a stack can hold two kinds of memory. What a
memory that concatenates by itself answers (`token_state`) is added as it is.
B batch (rows), T tokens, D model width.
"""

import dataclasses
import math
from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from latentmem.model import blocks, compose
from latentmem.model.compose import interface


class After(interface.Base):
  """What mixes, then the memory.

  Attributes:
    mixer: Kind and fields of the composition that mixes first.
    mixer_memory: Kind and fields of that one's memory.
  """

  mixer: Any = dataclasses.field(default_factory=lambda: dict(kind='attention'))
  mixer_memory: Any = dataclasses.field(default_factory=lambda: dict(kind='none'))

  def setup(self):
    self.inner = self._inner()
    if self.remembers:
      self.memory, self.memory_norm = self.make_memory(), blocks.RMSNorm()
      if not self.memory.concatenates:
        self.answer_norm = blocks.RMSNorm()
        self.out = self.param('out', nn.initializers.zeros, (2 * self.width, self.width), jnp.float32)

  def _inner(self, **where):
    return compose.build(self.mixer, width=self.width, memory_fields=self.mixer_memory, state_dtype=self.state_dtype,
                         out_scale=self.out_scale, **where)

  @property
  def align(self):
    return math.lcm(super().align, self._inner(parent=None).align)

  @property
  def layout(self):
    inner = tuple((f'inner/{pattern}', axes) for pattern, axes in self._inner(parent=None).layout)
    return inner + (('inner/memory/.+', ()),) + super().layout

  def nothing_lent(self, *call):
    if super().nothing_lent(*call):
      raise interface.no_weight_residual('after')
    return self._inner(parent=None).nothing_lent(*call)

  def init_state(self, batch, dtype='float32'):
    state = dict(inner=self.inner.init_state(batch, dtype))
    return state | (dict(memory=self.memory.init_state(batch, dtype)) if self.remembers else {})

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    flags = dict(write_BT=write_BT, parallel=parallel, aligned=aligned)
    inner, y_BTD, *lent = self.inner(state['inner'], x_BTD, reset_BT, mask_BT, below=below, **flags)
    if not self.remembers:
      return dict(inner=inner), y_BTD, *lent
    stream_BTD = x_BTD + y_BTD
    held, read_BTD = self.memory(state['memory'], self.memory_norm(stream_BTD), reset_BT, mask_BT, **flags)
    if not self.memory.concatenates:
      read_BTD = jnp.concatenate([stream_BTD, self.answer_norm(read_BTD)], -1) @ self.out.astype(x_BTD.dtype)
    return dict(inner=inner, memory=held), y_BTD + read_BTD, *lent
