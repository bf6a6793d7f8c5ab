"""The decoder: embedding, layers of mixer and feed-forward network, next-token logits.

x <- x + Mixer(norm(x))     x <- x + SwiGLU(norm(x))     in every layer; layers lie along each parameter's first axis
B batch (rows), T tokens, D width, V vocabulary, L layers.
"""

import dataclasses
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays, sharding
from latentmem.base.errors import check_known
from latentmem.model import blocks, compose, interface

REMAT = dict(
    full=jax.checkpoint_policies.nothing_saveable,
    dots=jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    none=None,
)


def hidden(width: int, multiple: float) -> int:
  """Numbers in the middle of a SwiGLU with the parameters of a plain network of `multiple` times the width."""
  step = 128 if width >= 1024 else 8
  return -(-int(width * multiple * 2 / 3) // step) * step


class Block(nn.Module):
  """One layer. Fields as in `Decoder`."""

  width: int
  layers: int
  ff: float
  dtype: str
  state_dtype: str
  compose: Any
  memory: Any

  def setup(self):
    out_scale = (2 * self.layers) ** -0.5
    self.mixer = compose.make(**self.compose, width=self.width, memory_fields=self.memory,
                              state_dtype=self.state_dtype, out_scale=out_scale)
    self.mixer_norm = blocks.RMSNorm()
    if self.ff:
      self.ff_norm = blocks.RMSNorm()
      self.feed_forward = blocks.SwiGLU(self.width, hidden(self.width, self.ff), out_scale)

  def init_state(self, batch):
    return self.mixer.init_state(batch, self.dtype)

  def __call__(self, state, x_BTD, reset_BT, mask_BT, write_BT, parallel, aligned, below):
    state, y_BTD, *lent = self.mixer(state, self.mixer_norm(x_BTD), reset_BT, mask_BT, write_BT=write_BT,
                                     parallel=parallel, aligned=aligned, below=below)
    x_BTD += y_BTD
    if self.ff:
      x_BTD += self.feed_forward(self.ff_norm(x_BTD))
    return state, x_BTD, *lent


class Decoder(interface.Base):
  """Predicts the next token.

  Attributes:
    vocab: V.
    width: D.
    layers: L.
    ff: Feed-forward size, in the measure of a plain network (4 is usual); 0 for none.
    tie: Logits through the embedding; False gives them their own matrix.
    dtype: Of the arithmetic; parameters stay float32, logits are at least float32.
    state_dtype: Of memory states.
    remat: What the backward pass computes again: 'full' keeps a layer's input only, 'dots' the products with parameters
      too, 'none' computes nothing again.
    scan: One compiled layer, run L times; False compiles each by itself. Parameters look the same either way.
    compose: Kind and fields of the mixer.
    memory: Kind and fields of its memory.
  """

  vocab: int = 256
  width: int = 128
  layers: int = 2
  ff: float = 4.0
  tie: bool = True
  dtype: str = 'float32'
  state_dtype: str = 'float32'
  remat: str = 'full'
  scan: bool = True
  compose: Any = dataclasses.field(default_factory=lambda: dict(kind='mag'))
  memory: Any = dataclasses.field(default_factory=lambda: dict(kind='titans'))

  def setup(self):
    check_known(self.remat, REMAT, 'decoder', 'remat')
    start = nn.initializers.normal(self.width ** -0.5)
    self.embed = self.param('embed', start, (self.vocab, self.width), jnp.float32)
    self.block = Block(self.width, self.layers, self.ff, self.dtype, self.state_dtype, self.compose, self.memory)
    self.norm = blocks.RMSNorm()
    if not self.tie:
      self.head = self.param('head', start, (self.vocab, self.width), jnp.float32)

  @property
  def align(self):
    return self._mixer.align

  @property
  def _mixer(self):
    """A layer's mixer by itself, for what its fields say."""
    return compose.build(self.compose, width=self.width, memory_fields=self.memory, state_dtype=self.state_dtype,
                         parent=None)

  @property
  def layout(self):
    return self._mixer.layout + blocks.LAYOUT + (
        ('embed|head', ('tensor', 'fsdp')),
        ('(mixer|inner)/out', ('tensor', 'fsdp')),
        # What a memory's own layout does not name is whole on every device.
        ('memory/.+', ()),
    )

  def init_state(self, batch):
    body = lambda block, carry, _: (carry, block.init_state(batch))
    _, state = self._over_layers(body)(self.block, (), None)
    return state

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    carry, h_BTD = self.through(carry, self.embedded(tokens_BT), reset_BT, mask_BT, parallel=parallel, aligned=aligned)
    return carry, self.logits(h_BTD)

  def embedded(self, tokens_BT):
    """What the layers read for tokens, [B, T, D], of size 1; so are the logits at the start of training."""
    # Gathered whole: what lies in pieces by width would be exchanged token by token.
    table_VD = sharding.laid(self.embed.astype(self.dtype))
    return sharding.laid(table_VD[tokens_BT], sharding.ROWS, sharding.SEQUENCE) * self.width ** 0.5

  def through(self, carry, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False):
    """Reads vectors as the call reads tokens -> carry, h_BTD, normed: what `logits` takes.

    False in `write_BT` has memories read a token and not write it; attention keeps it all the same.
    """
    if mask_BT is not None:
      order_BT = arrays.real_first(mask_BT)
      x_BTD, reset_BT, mask_BT, write_BT = arrays.at(order_BT, (x_BTD, reset_BT, mask_BT, write_BT))

    def body(block, stream, state, reset_BT, mask_BT, write_BT):
      x_BTD, *below = stream
      state, *stream = block(state, x_BTD, reset_BT, mask_BT, write_BT, parallel, aligned, below)
      return stream, state

    if REMAT[self.remat]:
      body = nn.remat(body, policy=REMAT[self.remat], prevent_cse=not self.scan)
    stream = [x_BTD, *self._mixer.nothing_lent(*x_BTD.shape[:2], parallel, aligned)]
    (x_BTD, *_), carry = self._over_layers(body, 3)(self.block, stream, carry, reset_BT, mask_BT, write_BT)
    if mask_BT is not None:
      x_BTD = arrays.at(jnp.argsort(order_BT, axis=1), x_BTD)
    return carry, self.norm(x_BTD)

  def _over_layers(self, body, shared: int = 0):
    """`body`, once for each layer; its last `shared` arguments are the same for all."""
    return nn.scan(body, variable_axes={'params': 0, 'telemetry': 0, 'costs': 0, 'trajectory': 0},
                   split_rngs={'params': True}, in_axes=(0,) + (nn.broadcast,) * shared, out_axes=0,
                   length=self.layers, unroll=1 if self.scan else self.layers)

  def logits(self, h_BTD):
    """[B, T, V] of what `through` made."""
    table_VD = self.embed if self.tie else self.head
    wide = jnp.promote_types(h_BTD.dtype, jnp.float32)
    return jnp.einsum('btd,vd->btv', h_BTD, table_VD.astype(h_BTD.dtype), preferred_element_type=wide)
