"""What a composition is: a layer's mixer, made of attention, a memory, or both. It keeps a memory's promise.

B batch (rows), T tokens, D model width.
"""

from typing import Any, ClassVar

from flax import linen as nn
import jax

from latentmem import memory
from latentmem.base.errors import InputError
from latentmem.model import blocks


class Base(nn.Module):
  """Mixes tokens along a sequence: `(state, x, reset, mask) -> (state, y)`, as `memory.interface.Base` has it.

  Attributes:
    width: D.
    memory_fields: The memory's kind and fields.
    state_dtype: Of the memory's state.
    out_scale: Size of what is first added to the residual stream.
  """

  width: int
  memory_fields: Any
  state_dtype: str = 'float32'
  out_scale: float = 1.0

  # Fields that the model hands down, and no config records twice.
  given: ClassVar[tuple[str, ...]] = ('width', 'memory_fields', 'state_dtype', 'out_scale')
  # False: there is no memory in it, whatever the fields.
  takes_memory: ClassVar[bool] = True
  # False: it asks its memory in other ways than by one call, in whose place `model.reasoning` could think.
  can_think: ClassVar[bool] = True

  @property
  def remembers(self) -> bool:
    """Whether there is a memory; without one, attention stands alone."""
    return self.takes_memory and self.memory_fields['kind'] != 'none'

  @property
  def align(self) -> int:
    """Documents may start at multiples of this; 1 where they may start anywhere."""
    if not self.remembers or memory.find(self.memory_fields['kind']).resets_anywhere:
      return 1
    return self.memory_fields['chunk']

  @property
  def layout(self) -> tuple:
    """Which axes of a mesh its memory's parameters and state lie on: see `base.sharding`."""
    held = memory.find(self.memory_fields['kind']).layout if self.remembers else ()
    return tuple((f'(memory|before)/({pattern})', axes) for pattern, axes in held)

  def make_memory(self):
    """The memory, to be assigned to `self.memory` in `setup`."""
    return memory.make(**self.memory_fields, width=self.width, state_dtype=self.state_dtype)

  def nothing_lent(self, *call) -> tuple:
    """As `memory.interface.Base.nothing_lent`."""
    if not self.remembers:
      return ()
    held = memory.build(self.memory_fields, width=self.width, state_dtype=self.state_dtype, parent=None)
    return held.nothing_lent(*call)

  def init_state(self, batch: int, dtype='float32'):
    """A fresh state for `batch` rows of tokens of `dtype`."""
    raise NotImplementedError

  def __call__(self, state, x_BTD: jax.Array, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True,
               aligned=False, below=()):
    """Reads T tokens. -> state, y_BTD, and what its memory lends to the layer above. `write_BT` is for the memory."""
    raise NotImplementedError


class Attentive(Base):
  """A mixer with attention in it.

  Attributes:
    heads, head_width, persistent, rope_base, conv, qk_norm: As in `blocks.Attention`.
  """

  heads: int = 4
  head_width: int = 0
  persistent: int = 4
  rope_base: float = 10_000.0
  conv: int = 0
  qk_norm: bool = True

  def make_attention(self, window: int, out_scale: float):
    """Attention that sees `window` tokens, to be assigned to `self.attention` in `setup`."""
    return blocks.Attention(self.width, self.heads, self.head_width, window, self.persistent, self.rope_base, self.conv,
                            self.qk_norm, out_scale)


def no_weight_residual(kind: str) -> InputError:
  """The error of a composition whose memory takes nothing from the layer below."""
  return InputError(f'{kind} hands no weights from layer to layer; choose another composition, or no weight_residual.')
