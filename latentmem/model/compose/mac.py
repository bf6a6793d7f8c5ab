"""Memory as a context: each segment reads the memory, attends over what it read and itself, and writes the memory
(Titans, equations 21 to 25).

h_i = M_0(x_i)     the memory as it stood when the segment began, nothing written
y_i = norm(Attn_i([P || h_1..h_i || x_1..x_i]))
M_i = M_{i-1} after reading y_i     o_i = y_i * sigmoid(norm(M_i(y_i)))

Taken literally the paper's equations see the future twice: every token of a segment attends to all of h, and the last
read is of the memory at the segment's end. Here column h_j is seen by tokens i >= j, and the last read is token-causal.
B batch (rows), S tokens in a segment, U tokens read at once (S, or 1), N groups of them, T tokens, D model width,
H heads, K head width.
"""

from typing import ClassVar

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.memory.interface import asked_for
from latentmem.model import blocks
from latentmem.model.compose import interface
from latentmem.ops import attention, pieces


class Mac(interface.Attentive):
  """Attention within segments, the memory across them. Documents may start where segments start.

  Attributes:
    segment: S, a multiple of the memory's chunk.
  """

  can_think: ClassVar[bool] = False

  segment: int = 64

  @property
  def align(self):
    return self.segment

  def setup(self):
    self.attention = self.make_attention(self.segment, 1.0 if self.remembers else self.out_scale)
    if not self.remembers:
      return
    self.memory = self.make_memory()
    if self.segment % self.memory.chunk:
      raise InputError(
          f'mac needs segments of whole chunks, not segment {self.segment} with chunk {self.memory.chunk}.')
    if self.memory.nothing_lent(1, 1):
      raise interface.no_weight_residual('mac')
    self.attention_norm, self.memory_norm = blocks.RMSNorm(), blocks.RMSNorm()
    start = nn.initializers.variance_scaling(self.out_scale**2, 'fan_in', 'normal')
    self.out = self.param('out', start, (self.width, self.width), jnp.float32)

  def init_state(self, batch, dtype='float32'):
    empty_BSHK = jnp.zeros((batch, self.segment, *self.attention.head_shape), dtype)
    columns = dict(k=empty_BSHK, v=empty_BSHK)
    state = dict(tail=self.attention.init_tail(batch, dtype), seen=columns, age=jnp.zeros(batch, jnp.int32))
    if self.remembers:
      # What is read, and what is written: the memory when the segment began, and now.
      first = self.memory.init_state(batch, dtype)
      state |= dict(read=columns, before=first, memory=first)
    return state

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    batch, length, _ = x_BTD.shape
    parallel &= length > 1
    whole = parallel and aligned and mask_BT is None and length % self.segment == 0
    mask_BT = jnp.ones((batch, length), bool) if mask_BT is None else mask_BT
    reset_BT = jnp.zeros((batch, length), bool) if reset_BT is None else reset_BT & mask_BT
    tail, heads = self.attention.heads_of(state['tail'], x_BTD, reset_BT, mask_BT)
    state, drive = state | dict(tail=tail), ()
    if self.remembers:
      asks, drive = self.memory.drive(state['before']['tail'], x_BTD, reset_BT, mask_BT)
      state['before'] = state['before'] | dict(tail=asks)

    if not parallel:
      lay, take = lambda a: a[:, :, None], lambda a: a.reshape((batch, length) + a.shape[3:])
    elif aligned:
      lay, take = _whole(length, self.segment)
    else:
      lay, take = _groups(jnp.where(reset_BT[:, 0], 0, state['age']), length, self.segment)

    inputs = jax.tree.map(lay, (x_BTD, heads, drive, reset_BT, mask_BT, write_BT))
    if whole and self._apart(length):
      alone, params = self.clone(parent=None), dict(params=self.variables['params'])
      read = lambda params, state, inputs, *_: alone.apply(params, state, inputs, True, True, True, method='in_turn')
      state, y_BNUD = pieces.handed_over(read, params, state, inputs, (), lay(reset_BT))
      return state, take(y_BNUD)
    state, y_BNUD = self.in_turn(state, inputs, parallel, aligned, whole)
    if self.remembers and asked_for(self, 'telemetry'):
      for name, value_BNU in self.memory.variables.get('telemetry', {}).items():
        # What comes once a call comes once a group here.
        per_token = value_BNU.shape[2] == y_BNUD.shape[2]
        flat = take(value_BNU) if per_token else value_BNU.reshape((batch, -1) + value_BNU.shape[3:])
        self.memory.put_variable('telemetry', name, flat)
    if self.remembers and asked_for(self, 'costs'):
      for name, value_N in self.memory.variables.get('costs', {}).items():
        self.memory.put_variable('costs', name, jnp.mean(value_N))
    return state, take(y_BNUD)

  def _apart(self, length) -> bool:
    """Whether whole segments lie on each of several devices, and nothing is asked for but answers."""
    told = asked_for(self, 'telemetry') or self.memory_fields.get('write_cost')
    return pieces.count() > 1 and length % (pieces.count() * self.segment) == 0 and not told

  def in_turn(self, state, inputs, parallel, aligned, whole):
    """Reads groups one after another, arrays [B, N, U, ...] -> state, y_BNUD."""
    def body(mixer, state, inputs):
      return mixer.read(state, *inputs, parallel, aligned, whole)

    scan = nn.scan(nn.remat(body, prevent_cse=False), variable_broadcast='params', split_rngs={'params': False},
                   variable_axes={'telemetry': 1, 'costs': 0}, in_axes=1, out_axes=1)
    return scan(self, state, inputs)

  def read(self, state, x_BUD, heads, drive, reset_BU, mask_BU, write_BU, parallel, aligned, whole):
    """Reads U tokens of one segment, all of it if `whole`, or as many as there are. -> state, y_BUD."""
    reset_B = reset_BU[:, 0]
    age_B = jnp.where(reset_B, 0, state['age'])
    begins_B = (age_B == 0) & mask_BU[:, 0]
    place_BU = age_B[:, None] + jnp.arange(x_BUD.shape[1])
    put = lambda old_BSHK, new_BUHK: _put(old_BSHK, new_BUHK, age_B, begins_B, mask_BU)
    q, k, v = heads
    prefix = self.attention.prefix(q)
    q, k = self.attention.turn(q, place_BU), self.attention.turn(k, place_BU)
    seen = dict(k=put(state['seen']['k'], k), v=put(state['seen']['v'], v))
    read_B = mask_BU.sum(1, dtype=jnp.int32)
    state = state | dict(age=(age_B + read_B) % self.segment, seen=seen)
    columns = [seen]

    if self.remembers:
      fresh = self.memory.init_cell(reset_B.shape[0])
      stands = arrays.pick(reset_B, fresh, state['memory']['cell'])
      cell = arrays.pick(begins_B, stands, state['before']['cell'])
      state['before'] = state['before'] | dict(cell=cell)
      # Where segments begin with the group, only rows without a token differ, and nobody reads those.
      h_BUD = self.memory.answer(self.memory.peek(stands if aligned and parallel else cell, drive), x_BUD)
      k, v = self.attention.keys_of(h_BUD.astype(x_BUD.dtype))
      k = self.attention.turn(k, place_BU)
      state['read'] = dict(k=put(state['read']['k'], k), v=put(state['read']['v'], v))
      columns.append(state['read'])

    visible_BUS = jnp.arange(self.segment) <= place_BU[..., None]
    k_BSHK, v_BSHK = (jnp.concatenate([c[name] for c in columns], axis=1) for name in 'kv')
    y_BUD = self.attention.join(
        attention.attend(q, k_BSHK, v_BSHK, jnp.concatenate([visible_BUS] * len(columns), axis=2), prefix))
    if not self.remembers:
      return state, y_BUD
    y_BUD = self.attention_norm(y_BUD)
    state['memory'], m_BUD = self.memory(
        state['memory'], y_BUD, reset_BU, None if whole else mask_BU, write_BT=write_BU, parallel=parallel,
        aligned=aligned)
    return state, (y_BUD * nn.sigmoid(self.memory_norm(m_BUD))) @ self.out.astype(x_BUD.dtype)


def _put(old_BSHK, new_BUHK, age_B, begins_B, mask_BU):
  """Lays new columns from slot `age` on; a segment that begins, begins with empty ones."""
  source_BS = jnp.arange(old_BSHK.shape[1]) - age_B[:, None]
  new_BS = (source_BS >= 0) & (source_BS < mask_BU.sum(1, keepdims=True))
  index_BS = jnp.clip(source_BS, 0, new_BUHK.shape[1] - 1)
  taken = arrays.at(index_BS, new_BUHK)
  return arrays.pick(new_BS, taken, arrays.pick(begins_B, jnp.zeros_like(old_BSHK), old_BSHK))


def _whole(length, segment):
  """Two functions: [B, T, ...] to [B, N, S, ...] where rows stand at a segment's start; and back."""
  groups = -(-length // segment)

  def lay(a):
    a = jnp.pad(a, [(0, 0), (0, groups * segment - length)] + [(0, 0)] * (a.ndim - 2))
    return a.reshape((a.shape[0], groups, segment) + a.shape[2:])

  return lay, lambda a: a.reshape((a.shape[0], -1) + a.shape[3:])[:, :length]


def _groups(age_B, length, segment):
  """The same where row b stands `age_b` tokens into its segment: its first group is the rest of that segment."""
  groups = -(-(length + segment - 1) // segment)
  first_B11 = (segment - age_B)[:, None, None]
  number_N1, place_S = jnp.arange(groups)[:, None], jnp.arange(segment)
  source_BNS = jnp.where(number_N1 == 0, place_S, first_B11 + (number_N1 - 1) * segment + place_S)
  real_BNS = (source_BNS < length) & ((number_N1 > 0) | (place_S < first_B11))
  flat_BM = jnp.clip(source_BNS, 0, length - 1).reshape(age_B.shape[0], -1)
  slot_BT = age_B[:, None] + jnp.arange(length)
  back_BT = jnp.where(slot_BT < segment, jnp.arange(length), slot_BT)

  def lay(a):
    laid = arrays.at(flat_BM, a).reshape(real_BNS.shape + a.shape[2:])
    return arrays.pick(real_BNS, laid, jnp.zeros_like(laid))

  return lay, lambda a: arrays.at(back_BT, a.reshape((a.shape[0], -1) + a.shape[3:]))
