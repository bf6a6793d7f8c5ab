"""What memories with heads share: queries, keys, values and gates of tokens; norm, gate and projection of answers.

B batch, T tokens, D model width, H heads, K head width, W tokens of convolution tail.
"""

import math

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base.errors import InputError
from latentmem.memory import interface
from latentmem.ops import conv

FROM_MODEL = nn.initializers.variance_scaling(1.0, 'fan_in', 'truncated_normal', in_axis=0, out_axis=(-2, -1))
FROM_MODEL_3 = nn.initializers.variance_scaling(
    1.0, 'fan_in', 'truncated_normal', in_axis=0, out_axis=(-2, -1), batch_axis=1)
TO_MODEL = nn.initializers.variance_scaling(1.0, 'fan_in', 'truncated_normal', in_axis=(-3, -2), out_axis=-1)


def unit(x: jax.Array, eps: float = 1e-2) -> jax.Array:
  """x / sqrt(x.x + eps) along the last axis: l2 normalisation that leaves small vectors small."""
  return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + eps)


def rms_norm(x: jax.Array, eps: float = 1e-5) -> jax.Array:
  """x over its root mean square along the last axis."""
  return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + eps)


def logit(name: str, start: float) -> float:
  """The bias with which a gate starts at `start`. Raises InputError for what no gate can be."""
  if not 0 < start < 1:
    raise InputError(f'{name}_start={start} must lie between 0 and 1, both excluded.')
  return math.log(start) - math.log1p(-start)


class Heads(interface.Base):
  """A memory of independent heads. Subclasses add their gates in `setup`, and the cell.

  Attributes:
    heads: H.
    head_width: K; 0 takes width / heads.
    conv: Tokens the short convolution of q, k, v sees; 0 for none.
  """

  heads: int = 4
  head_width: int = 0
  conv: int = 4

  # Pairs of key and value that a token writes.
  pairs = 1
  takes_source = True
  layout = (
      ('qkv', ('fsdp', None, 'tensor', None)),
      ('conv|norm', ('tensor', None)),
      ('gate', ('fsdp', 'tensor', None)),
      ('out', ('tensor', None, 'fsdp')),
      ('[a-z]+_bias', ('tensor',)),
      ('decay|write', ('fsdp', 'tensor')),
      ('tail', ('tensor', None)),
      ('cell', ('tensor', None, None)),
  )

  def setup(self):
    heads, head_width = self.head_shape
    f32 = jnp.float32
    self.qkv = self.param('qkv', FROM_MODEL_3, (self.width, 1 + 2 * self.pairs, heads, head_width), f32)
    if self.conv:
      taps = nn.initializers.normal(self.conv ** -0.5)
      self.taps = self.param('conv', taps, (self.conv, 1 + 2 * self.pairs, heads, head_width), f32)
    self.norm = self.param('norm', nn.initializers.ones, (heads, head_width), f32)
    self.gate = self.param('gate', FROM_MODEL, (self.width, heads, head_width), f32)
    self.out = self.param('out', TO_MODEL, (heads, head_width, self.width), f32)

  @property
  def head_shape(self) -> tuple[int, int]:
    """H, K. Raises InputError where heads do not divide the width."""
    if not self.head_width and self.width % self.heads:
      raise InputError(f'{self.heads} heads do not divide a width of {self.width}; choose head_width, or other heads.')
    return self.heads, self.head_width or self.width // self.heads

  def init_tail(self, batch: int, dtype):
    return jnp.zeros((batch, max(self.conv - 1, 0), 1 + 2 * self.pairs, *self.head_shape), dtype)

  def qkv_of(self, tail, x_BTD, reset_BT, mask_BT, source_BTD=None):
    """Projection, short convolution, SiLU -> tail, (q, every k, every v)_BTHK in state_dtype; k and v from `source`."""
    project = lambda x_BTD, qkv: jnp.einsum('btd,dphk->btphk', x_BTD, qkv.astype(x_BTD.dtype))
    if source_BTD is None:
      qkv_BTPHK = project(x_BTD, self.qkv)
    else:
      qkv_BTPHK = jnp.concatenate([project(x_BTD, self.qkv[:, :1]), project(source_BTD, self.qkv[:, 1:])], axis=2)
    if self.conv:
      tail, qkv_BTPHK = conv.short_conv(tail, qkv_BTPHK, self.taps.astype(x_BTD.dtype), reset_BT, mask_BT)
    qkv_BTPHK = nn.silu(qkv_BTPHK).astype(self.state_dtype)
    return tail, tuple(qkv_BTPHK[:, :, i] for i in range(qkv_BTPHK.shape[2]))

  def drive(self, tail, x_BTD, reset_BT, mask_BT, source_BTD=None):
    tail, qkv = self.qkv_of(tail, x_BTD, reset_BT, mask_BT, source_BTD)
    return tail, self.driven(x_BTD if source_BTD is None else source_BTD, *qkv)

  def driven(self, written_BTD, q_BTHK, *kv_BTHK):
    """The drive, from the tokens that are written, which bring the gates, and q, every k, every v."""
    raise NotImplementedError

  def asked(self, drive_BT):
    """What asks comes first in a drive; the rest writes, and zeros write nothing."""
    return drive_BT[0], *jax.tree.map(jnp.zeros_like, drive_BT[1:])

  def scalar(self, name: str, start: float, shape: tuple[int, ...] | None = None):
    """Declares a gate for `logits`: one number per token and head, whose sigmoid starts at `start` everywhere."""
    shape = shape or (self.heads,)
    return (self.param(name, nn.initializers.zeros, (self.width, *shape), jnp.float32),
            self.param(f'{name}_bias', nn.initializers.constant(logit(name, start)), shape, jnp.float32))

  def logits(self, x_BTD, scalar) -> jax.Array:
    """A gate's logit, [B, T, H], in state_dtype."""
    weight_DH, bias_H = jax.tree.map(lambda p: p.astype(self.state_dtype), scalar)
    return jnp.einsum('btd,dh->bth', x_BTD.astype(self.state_dtype), weight_DH) + bias_H

  def answer(self, y_BTHK, x_BTD):
    """Per-head norm, sigmoid gate from the token, output projection."""
    dtype = x_BTD.dtype
    gate_BTHK = nn.sigmoid(jnp.einsum('btd,dhk->bthk', x_BTD, self.gate.astype(dtype)))
    y_BTHK = rms_norm(y_BTHK).astype(dtype) * self.norm.astype(dtype) * gate_BTHK
    return jnp.einsum('bthk,hkd->btd', y_BTHK, self.out.astype(dtype))
