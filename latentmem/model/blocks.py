"""What models are built from: norm, feed-forward network, and attention with a carry.

B batch (rows), T tokens, D model width, H heads, K head width, P persistent tokens, W window.
Parameters are float32; arithmetic is in the tokens' dtype, norms and softmax at least in float32.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base.errors import InputError
from latentmem.ops import attention, conv, rope

FROM_MODEL = nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', in_axis=0, out_axis=(-2, -1), batch_axis=1)

# Which axes of a mesh parameters lie on: see `base.sharding`.
LAYOUT = (
    ('attention/qkv', ('fsdp', None, 'tensor', None)),
    ('attention/conv', ('tensor', None)),
    ('attention/out', ('tensor', None, 'fsdp')),
    ('attention/persistent', (None, 'fsdp')),
    ('feed_forward/up', ('fsdp', None, 'tensor')),
    ('feed_forward/out', ('tensor', 'fsdp')),
    ('scale', (None,)),
    ('(cache|read|seen)/[kv]|tail', ('tensor', None)),
)


def to_model(scale: float):
  """Start of a projection back to the residual stream, `scale` times what keeps the size of its input."""
  return nn.initializers.variance_scaling(scale**2, 'fan_in', 'normal', in_axis=(-3, -2), out_axis=-1)


class RMSNorm(nn.Module):
  """x / rms(x) * scale along the last axis (Zhang and Sennrich 2019)."""

  eps: float = 1e-6

  @nn.compact
  def __call__(self, x):
    scale = self.param('scale', nn.initializers.ones, x.shape[-1:], jnp.float32)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    wide = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + self.eps)
    return (wide * scale).astype(x.dtype)


class SwiGLU(nn.Module):
  """out(silu(gate(x)) * up(x)) (Shazeer 2020).

  Attributes:
    width: D.
    hidden: Numbers in the middle.
    out_scale: Size of what is first added to the residual stream.
  """

  width: int
  hidden: int
  out_scale: float = 1.0

  @nn.compact
  def __call__(self, x_BTD):
    start = nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', batch_axis=1, in_axis=0, out_axis=2)
    up_D2F = self.param('up', start, (self.width, 2, self.hidden), jnp.float32).astype(x_BTD.dtype)
    out_start = nn.initializers.variance_scaling(self.out_scale**2, 'fan_in', 'normal')
    out_FD = self.param('out', out_start, (self.hidden, self.width), jnp.float32).astype(x_BTD.dtype)
    gate_BT2F = jnp.einsum('btd,dpf->btpf', x_BTD, up_D2F)
    return (nn.silu(gate_BT2F[:, :, 0]) * gate_BT2F[:, :, 1]) @ out_FD


class Attention(nn.Module):
  """Causal attention within a document and a window, with rotary positions and persistent tokens.

  Persistent tokens (Titans, section 3.3) are learned, pass through the key and value projections, and are seen by every
  token. They stand nowhere: queries meet them before rotation, so that they weigh the same at every position.

  Attributes:
    width: D.
    heads: H.
    head_width: K; 0 takes width / heads.
    window: W, tokens seen, the token's own included.
    persistent: P.
    rope_base: Of the rotary positions; 0 for none.
    conv: Tokens a short convolution of q, k and v sees; 0 for none.
    qk_norm: RMS norm of queries and keys, per head.
    out_scale: Size of what is first added to the residual stream.
  """

  width: int
  heads: int = 4
  head_width: int = 0
  window: int = 64
  persistent: int = 0
  rope_base: float = 10_000.0
  conv: int = 0
  qk_norm: bool = True
  out_scale: float = 1.0

  def setup(self):
    heads, head_width = self.head_shape
    self.qkv = self.param('qkv', FROM_MODEL, (self.width, 3, heads, head_width), jnp.float32)
    self.out = self.param('out', to_model(self.out_scale), (heads, head_width, self.width), jnp.float32)
    if self.conv:
      taps = lambda *args: nn.initializers.normal(0.1)(*args).at[-1].add(1.0)
      self.taps = self.param('conv', taps, (self.conv, 3, heads, head_width), jnp.float32)
    if self.qk_norm:
      self.q_norm, self.k_norm = RMSNorm(name='q_norm'), RMSNorm(name='k_norm')
    if self.persistent:
      self.tokens = self.param('persistent', nn.initializers.normal(0.02), (self.persistent, self.width), jnp.float32)

  @property
  def head_shape(self) -> tuple[int, int]:
    """H, K. Raises InputError where heads do not divide the width, or K cannot turn, or nothing could be seen."""
    if self.heads < 1 or (not self.head_width and self.width % self.heads):
      raise InputError(f'{self.heads} heads do not divide a width of {self.width}; choose head_width, or other heads.')
    head_width = self.head_width or self.width // self.heads
    if self.rope_base and head_width % 2:
      raise InputError(f'rotary positions need an even head width, not {head_width}; choose another, or rope_base=0.')
    if self.window < 1:
      raise InputError(f'attention needs a window of at least 1 token, not {self.window}.')
    return self.heads, head_width

  def init_state(self, batch: int, dtype='float32'):
    """An empty window and convolution tail; keys and values are kept in the tokens' dtype."""
    heads, head_width = self.head_shape
    cache = attention.init_cache(batch, self.window, heads, head_width, dtype)
    return dict(cache=cache, tail=self.init_tail(batch, dtype))

  def init_tail(self, batch: int, dtype):
    return jnp.zeros((batch, max(self.conv - 1, 0), 3, *self.head_shape), dtype)

  def heads_of(self, tail, x_BTD, reset_BT, mask_BT):
    """-> tail, (q, k, v)_BTHK before rotation."""
    qkv_BT3HK = jnp.einsum('btd,dphk->btphk', x_BTD, self.qkv.astype(x_BTD.dtype))
    if self.conv:
      tail, qkv_BT3HK = conv.short_conv(tail, qkv_BT3HK, self.taps.astype(x_BTD.dtype), reset_BT, mask_BT)
    return tail, self.normed(*(qkv_BT3HK[:, :, i] for i in range(3)))

  def keys_of(self, x_BTD):
    """(k, v)_BTHK of tokens that stand beside the sequence: no convolution, no rotation."""
    kv_BT2HK = jnp.einsum('btd,dphk->btphk', x_BTD, self.qkv[:, 1:].astype(x_BTD.dtype))
    _, k_BTHK, v_BTHK = self.normed(None, kv_BT2HK[:, :, 0], kv_BT2HK[:, :, 1])
    return k_BTHK, v_BTHK

  def normed(self, q, k, v):
    """q and k normalised, where that is asked for."""
    return (q if q is None or not self.qk_norm else self.q_norm(q)), (self.k_norm(k) if self.qk_norm else k), v

  def turn(self, x_BTHK, position_BT):
    return rope.rotate(x_BTHK, position_BT, self.rope_base) if self.rope_base else x_BTHK

  def prefix(self, q_BTHK):
    """What every token sees, as `ops.attention` takes it: scores and values of the persistent tokens, or None."""
    if not self.persistent:
      return None
    k_1PHK, v_1PHK = self.keys_of(self.tokens.astype(q_BTHK.dtype)[None])
    return attention.scores(q_BTHK, k_1PHK[0]), v_1PHK[0]

  def join(self, y_BTHK):
    """Heads to the model's width."""
    return jnp.einsum('bthk,hkd->btd', y_BTHK, self.out.astype(y_BTHK.dtype))

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, parallel: bool = True, aligned: bool = False):
    """Attends. Arguments and results are those of a memory (`memory.interface.Base`); `aligned` makes no difference."""
    batch, length, _ = x_BTD.shape
    mask_BT = jnp.ones((batch, length), bool) if mask_BT is None else mask_BT
    reset_BT = jnp.zeros((batch, length), bool) if reset_BT is None else reset_BT & mask_BT
    tail, (q, k, v) = self.heads_of(state['tail'], x_BTD, reset_BT, mask_BT)
    prefix = self.prefix(q)
    position_BT = attention.positions(state['cache']['count'], reset_BT)
    q, k = self.turn(q, position_BT), self.turn(k, position_BT)
    read = attention.blocks if parallel and length > 1 else attention.in_turn
    cache, y_BTHK = read(state['cache'], q, k, v, reset_BT, mask_BT, prefix)
    return dict(cache=cache, tail=tail), self.join(y_BTHK)
