"""Qwen3, the dense family (Qwen Team 2025, arXiv 2505.09388): a decoder whose heads of queries share keys and values.

x <- x + o(Attention(rope(norm(q(norm(x)))), rope(norm(k(norm(x)))), v(norm(x))))
x <- x + down(silu(gate(norm(x))) up(norm(x)))                   logits = head norm(x)
B batch (rows), T tokens, D width, L layers, H heads, G heads of keys and values, K head width, F hidden, V vocabulary,
R rank of a row's own change.

Matrices lie as in Hugging Face's files, [out, in], heads apart: q [H, K, D], k and v [G, K, D], o [D, H, K], gate and
up [F, D], down [D, F]; layers along each parameter's first axis.

The seven projections of a layer may be changed for each row by itself, y <- y + (x a) b, as in Hu et al. 2021. An
optional collection holds the changes, of those projections that have one, every layer's:

  model.apply(dict(params, lora=dict(block=dict(q=dict(a=a_LBDR, b=b_LBRO)))), carry, tokens_BT)

where O is all that comes out, H K numbers for q; a scale belongs into b. `Qwen3.projections` says what goes in and out.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays, sharding
from latentmem.base.errors import check_known, InputError
from latentmem.model import blocks, decoder, interface
from latentmem.ops import attention, rope

START = nn.initializers.normal(0.02)
# A CPU, which copies narrow numbers to wide ones, multiplies a head with more numbers than LARGE in PARTS.
LARGE, PARTS = 2**24, 64


class Projection(nn.Module):
  """y = weight x, and (x a) b more in each row that the collection 'lora' has a change for.

  Attributes:
    out, into: Axes of what comes out and of what goes in; the weight is [*out, *into].
    dtype: Of the weight; arithmetic is in that of x.
  """

  out: tuple[int, ...]
  into: tuple[int, ...]
  dtype: str

  @nn.compact
  def __call__(self, x_BT):
    weight = self.param('weight', START, (*self.out, *self.into), self.dtype).astype(x_BT.dtype)
    axes = len(self.into)
    inner = tuple(range(-axes, 0))
    y_BT = jax.lax.dot_general(x_BT, weight, ((tuple(x_BT.ndim + i for i in inner),
                                               tuple(weight.ndim + i for i in inner)), ((), ())))
    if not self.has_variable('lora', 'a'):
      return y_BT
    a_BNR, b_BRO = (self.get_variable('lora', name).astype(x_BT.dtype) for name in 'ab')
    x_BTN = x_BT.reshape(*x_BT.shape[:2], -1)
    change_BTO = jnp.einsum('btr,bro->bto', jnp.einsum('btn,bnr->btr', x_BTN, a_BNR), b_BRO)
    return y_BT + change_BTO.reshape(y_BT.shape)


class Block(nn.Module):
  """One layer. Fields as in `Qwen3`."""

  width: int
  heads: int
  kv_heads: int
  head_width: int
  hidden: int
  rope_base: float
  eps: float
  param_dtype: str

  def setup(self):
    project = lambda out, into: Projection(out, into, self.param_dtype)
    width, hidden, keys = (self.width,), (self.hidden,), (self.kv_heads, self.head_width)
    self.q = project((self.heads, self.head_width), width)
    self.k, self.v = project(keys, width), project(keys, width)
    self.o = project(width, (self.heads, self.head_width))
    self.gate, self.up, self.down = project(hidden, width), project(hidden, width), project(width, hidden)
    self.attention_norm, self.mlp_norm = blocks.RMSNorm(self.eps), blocks.RMSNorm(self.eps)
    self.q_norm, self.k_norm = blocks.RMSNorm(self.eps), blocks.RMSNorm(self.eps)

  def __call__(self, cache, x_BTD, reset_BT, mask_BT, parallel):
    cache, y_BTD = self._attends(cache, self.attention_norm(x_BTD), reset_BT, mask_BT, parallel)
    x_BTD += y_BTD
    h_BTD = self.mlp_norm(x_BTD)
    return cache, x_BTD + self.down(nn.silu(self.gate(h_BTD)) * self.up(h_BTD))

  def _attends(self, cache, x_BTD, reset_BT, mask_BT, parallel):
    position_BT = attention.positions(cache['count'], reset_BT)
    turned = lambda a_BTHK: rope.rotate(a_BTHK, position_BT, self.rope_base)
    q_BTHK, k_BTGK = turned(self.q_norm(self.q(x_BTD))), turned(self.k_norm(self.k(x_BTD)))
    read = attention.blocks if parallel and x_BTD.shape[1] > 1 else attention.in_turn
    cache, y_BTHK = read(cache, q_BTHK, k_BTGK, self.v(x_BTD), reset_BT, mask_BT)
    return cache, self.o(y_BTHK)


class Qwen3(interface.Base):
  """Predicts the next token.

  Attributes:
    vocab: V.
    width: D.
    layers: L.
    heads: H.
    kv_heads: G, which divides H.
    head_width: K; 0 takes width / heads.
    hidden: F.
    rope_base: Of the rotary positions.
    eps: Added to mean squares in norms.
    tie: Logits through the embedding; False gives them their own matrix.
    context: Tokens seen, the token's own included: those that the carry holds keys and values of.
    dtype: Of the arithmetic; logits are at least float32.
    param_dtype: Of the matrices; scales of norms are float32.
    remat: What the backward pass computes again, as in the decoder.
    scan: One compiled layer, run L times; False compiles each by itself. Parameters look the same either way.
  """

  vocab: int = 256
  width: int = 128
  layers: int = 2
  heads: int = 4
  kv_heads: int = 2
  head_width: int = 0
  hidden: int = 384
  rope_base: float = 1_000_000.0
  eps: float = 1e-6
  tie: bool = True
  context: int = 1024
  dtype: str = 'float32'
  param_dtype: str = 'float32'
  remat: str = 'full'
  scan: bool = True

  def setup(self):
    check_known(self.remat, decoder.REMAT, 'qwen3', 'remat')
    heads, kv_heads, head_width = self.head_shape
    self.embed = self.param('embed', START, (self.vocab, self.width), self.param_dtype)
    self.block = Block(self.width, heads, kv_heads, head_width, self.hidden, self.rope_base, self.eps, self.param_dtype)
    self.norm = blocks.RMSNorm(self.eps)
    if not self.tie:
      self.head = self.param('head', START, (self.vocab, self.width), self.param_dtype)

  @property
  def head_shape(self) -> tuple[int, int, int]:
    """H, G, K. Raises InputError where they do not fit one another."""
    if not self.head_width and self.width % self.heads:
      raise InputError(f'{self.heads} heads do not divide a width of {self.width}; choose head_width, or other heads.')
    head_width = self.head_width or self.width // self.heads
    if head_width % 2:
      raise InputError(f'rotary positions need an even head width, not {head_width}.')
    if self.heads % self.kv_heads:
      raise InputError(f'{self.kv_heads} heads of keys cannot be shared evenly by {self.heads} heads; kv_heads must '
                       'divide heads.')
    return self.heads, self.kv_heads, head_width

  @property
  def projections(self) -> dict[str, tuple[int, int]]:
    """(numbers in, numbers out) of each projection of a layer, by its name in `block`."""
    heads, kv_heads, size = self.head_shape
    queries, keys = heads * size, kv_heads * size
    return dict(q=(self.width, queries), k=(self.width, keys), v=(self.width, keys), o=(queries, self.width),
                gate=(self.width, self.hidden), up=(self.width, self.hidden), down=(self.hidden, self.width))

  @property
  def layout(self):
    return (
        ('embed|head', ('tensor', 'fsdp')),
        ('[qkv]/weight', ('tensor', None, 'fsdp')),
        ('o/weight', ('fsdp', 'tensor', None)),
        ('(gate|up)/weight', ('tensor', 'fsdp')),
        ('down/weight', ('fsdp', 'tensor')),
        ('scale', (None,)),
        ('[kv]', ('tensor', None)),
    )

  def init_state(self, batch):
    """Nothing read: of each layer a cache of `ops.attention`, keys and values in the dtype of the arithmetic."""
    _, kv_heads, head_width = self.head_shape
    empty = attention.init_cache(batch, self.context, kv_heads, head_width, self.dtype)
    return jax.tree.map(lambda a: jnp.broadcast_to(a, (self.layers, *a.shape)), empty)

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    carry, h_BTD = self.through(carry, self.embedded(tokens_BT), reset_BT, mask_BT, parallel=parallel)
    return carry, self.logits(h_BTD)

  def last(self, carry, tokens_BT, mask_BT=None):
    carry, h_BTD = self.through(carry, self.embedded(tokens_BT), None, mask_BT)
    return carry, self.logits(arrays.last(h_BTD, mask_BT)[:, None])[:, 0]

  def embedded(self, tokens_BT):
    """What the layers read for tokens, [B, T, D]."""
    dtype, table_VD = jnp.dtype(self.dtype), self.embed
    # A table that is wide already is not copied to something wider still.
    table_VD = table_VD.astype(dtype) if dtype.itemsize < table_VD.dtype.itemsize else table_VD
    # Gathered whole: what lies in pieces by width would be exchanged token by token.
    x_BTD = sharding.laid(table_VD)[tokens_BT].astype(dtype)
    return sharding.laid(x_BTD, sharding.ROWS, sharding.SEQUENCE)

  def through(self, carry, x_BTD, reset_BT=None, mask_BT=None, *, parallel=True):
    """Reads vectors as the call reads tokens -> carry, h_BTD, normed: what `logits` takes."""
    holes = mask_BT is not None
    mask_BT = mask_BT if holes else jnp.ones(x_BTD.shape[:2], bool)
    reset_BT = jnp.zeros_like(mask_BT) if reset_BT is None else reset_BT & mask_BT
    if holes:
      order_BT = arrays.real_first(mask_BT)
      x_BTD, reset_BT, mask_BT = arrays.at(order_BT, (x_BTD, reset_BT, mask_BT))

    def body(block, x_BTD, cache):
      cache, x_BTD = block(cache, x_BTD, reset_BT, mask_BT, parallel)
      return x_BTD, cache

    if decoder.REMAT[self.remat]:
      body = nn.remat(body, policy=decoder.REMAT[self.remat], prevent_cse=not self.scan)
    over_layers = nn.scan(body, variable_axes={'params': 0, 'lora': 0}, split_rngs={'params': True},
                          length=self.layers, unroll=1 if self.scan else self.layers)
    x_BTD, carry = over_layers(self.block, x_BTD, carry)
    if holes:
      x_BTD = arrays.at(jnp.argsort(order_BT, axis=1), x_BTD)
    return carry, self.norm(x_BTD)

  def logits(self, h_BTD):
    """[B, T, V] of what `through` made."""
    table_VD = self.embed if self.tie else self.head
    wide = jnp.promote_types(h_BTD.dtype, jnp.float32)

    def product(h_BTD, table_VD):
      return jnp.einsum('btd,vd->btv', h_BTD, table_VD.astype(h_BTD.dtype), preferred_element_type=wide)

    def in_parts(h_BTD, table_VD):
      part = -(-self.vocab // PARTS)
      count = -(-self.vocab // part)
      # The last part reaches back over the one before, where parts do not divide the vocabulary.
      begins_N = jnp.minimum(jnp.arange(count) * part, self.vocab - part)
      each = lambda begin: product(h_BTD, jax.lax.dynamic_slice_in_dim(table_VD, begin, part))
      parts_NBTV = jax.lax.map(each, begins_N)
      whole_BTV = jnp.moveaxis(parts_NBTV[:-1], 0, 2).reshape(*h_BTD.shape[:2], -1)
      return jnp.concatenate([whole_BTV, parts_NBTV[-1][..., count * part - self.vocab:]], axis=-1)

    if table_VD.dtype.itemsize >= wide.itemsize or table_VD.size < LARGE:
      return product(h_BTD, table_VD)
    return jax.lax.platform_dependent(h_BTD, table_VD, cpu=in_parts, default=product)
