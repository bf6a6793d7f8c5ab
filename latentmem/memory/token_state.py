"""A state that persists from token to token: compressed input, gates, and attention to the states kept on the way.

  z_t = W_c x_t                                        D to R
  c_t = f_t c_{t-1} + w_t u_t                          f, w sigmoids and u a tanh: of z_t alone (recurrence 'input'),
                                                       or of z_t and c_{t-1}, as in an LSTM ('full')
  r_t = c_t + attention of z_t to the last M of the states c_S, c_2S, ... of its document
  y_t = W_o [z_t ; norm(r_t)]                          zero at the start of training

'input' has no state inside its gates, so one associative scan gives all tokens; 'full' goes token by token, and can
follow what 'input' cannot: products in groups that are not solvable (Merrill et al. 2024, arXiv 2404.08819).
B batch, T tokens, C tokens in a chunk, D model width, R state width, H heads of K = R / H, M states kept, S stride.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.base.errors import check_known, InputError
from latentmem.memory import interface, parts
from latentmem.ops import kept_states, scans

RECURRENCES = ('input', 'full')
PARTS = ('read', 'write', 'forget')


class TokenState(interface.Base):
  """One state of fixed size.

  Attributes:
    state: R; 0 takes width / 8.
    recurrence: 'input' or 'full'.
    stride: S, tokens between states that are kept; divides the chunk.
    kept: M, states that a token attends to; 0 for no attention.
    heads: H, of that attention.
    forget_start, write_start: f and w at the start of training, for every token.
    without: Parts that are left out, to see what they are for, of PARTS, joined by commas: 'read' has r = 0, 'write'
      w = 0, 'forget' f = 1.
  """

  state: int = 0
  recurrence: str = 'input'
  stride: int = 16
  kept: int = 16
  heads: int = 4
  forget_start: float = 0.9
  write_start: float = 0.5
  without: str = ''

  resets_anywhere = False
  takes_source = concatenates = True
  layout = (
      ('compress', ('fsdp', 'tensor')),
      ('gates|recurrent|keys', (None, None, 'tensor')),
      ('gates_bias', (None, 'tensor')),
      ('query', (None, 'tensor')),
      ('norm', ('tensor',)),
      ('out', ('tensor', 'fsdp')),
      ('cell/c', ('tensor',)),
      ('cell/kept/[kv]', ('tensor', None)),
  )

  def setup(self):
    self._check()
    size, f32 = self.size, jnp.float32
    into = nn.initializers.variance_scaling(1.0, 'fan_in', 'truncated_normal', in_axis=0, out_axis=-1, batch_axis=1)
    self.compress = self.param('compress', parts.FROM_MODEL, (self.width, size), f32)
    self.gates = self.param('gates', into, (size, 3, size), f32)
    starts = [parts.logit('forget', self.forget_start), parts.logit('write', self.write_start)]
    self.gates_bias = self.param('gates_bias', lambda key, shape, dtype: jnp.broadcast_to(
        jnp.asarray([*starts, 0.0], dtype)[:, None], shape), (3, size), f32)
    if self.recurrence == 'full':
      self.recurrent = self.param('recurrent', into, (size, 3, size), f32)
    if self.kept:
      self.query = self.param('query', parts.FROM_MODEL, (size, size), f32)
      self.keys = self.param('keys', into, (size, 2, size), f32)
    self.norm = self.param('norm', nn.initializers.ones, (size,), f32)
    self.out = self.param('out', nn.initializers.zeros, (2 * size, self.width), f32)

  def _check(self):
    check_known(self.recurrence, RECURRENCES, 'token_state', 'recurrence')
    for part in filter(None, self.without.split(',')):
      check_known(part, PARTS, 'token_state', 'part')
    if self.stride < 1 or self.chunk % self.stride:
      raise InputError(f'token_state keeps states at strides that divide its chunk of {self.chunk}, '
                       f'not every {self.stride} tokens.')
    if self.kept < 0 or self.size < 1 or self.heads < 1 or self.size % self.heads:
      raise InputError(f'token_state needs kept >= 0 and heads that divide its state; it got kept={self.kept}, '
                       f'heads={self.heads} and a state of {self.size}.')

  @property
  def size(self) -> int:
    """R."""
    return self.state or self.width // 8

  def init_cell(self, batch):
    zeros = lambda *shape: jnp.zeros((batch, *shape), self.state_dtype)
    counts = jnp.zeros((batch,), jnp.int32)
    if not self.kept:
      return dict(c=zeros(self.size))
    columns = zeros(self.kept, self.heads, self.size // self.heads)
    return dict(c=zeros(self.size), kept=dict(k=columns, v=columns), held=counts, age=counts)

  def age(self, cell):
    return cell.get('age')

  def drive(self, tail, x_BTD, reset_BT, mask_BT, source_BTD=None):
    z_BTR = self._compressed(x_BTD)
    written_BTR = z_BTR if source_BTD is None else self._compressed(source_BTD)
    pre_BT3R = jnp.einsum('btr,rgs->btgs', written_BTR, self._wide(self.gates)) + self._wide(self.gates_bias)
    drive = dict(real=jnp.ones(reset_BT.shape, self.state_dtype))
    if self.kept:
      drive['q'] = self._heads(z_BTR @ self._wide(self.query))
    if self.recurrence == 'full':
      return tail, drive | dict(pre=pre_BT3R, written=drive['real'])
    return tail, drive | self._moves(pre_BT3R)

  def asked(self, drive_BT):
    silent = {name: jnp.zeros_like(value) for name, value in drive_BT.items() if name not in ('q', 'real')}
    return drive_BT | silent

  def one(self, cell, drive_B, fresh, reset_B):
    cell = arrays.pick(reset_B, fresh, cell)
    cell = dict(cell, c=self._next(cell['c'], drive_B))
    if not self.kept:
      return cell, cell['c']
    real_B = drive_B['real'] > 0
    age_B = cell['age'] + real_B
    now_B = real_B & (age_B % self.stride == 0)
    cell = dict(cell, kept=kept_states.keep(cell['kept'], self._columns(cell['c']), now_B),
                held=jnp.minimum(cell['held'] + now_B, self.kept), age=age_B % self.chunk)
    return cell, cell['c'] + self._recalled(cell, drive_B['q'])

  def many(self, cell, drive_BT, fresh, reset_BT):
    c_BTR = self._states(cell['c'], drive_BT, reset_BT)
    if not self.kept:
      return dict(c=c_BTR[:, -1]), c_BTR
    real_BT, begins_BN = drive_BT['real'] > 0, reset_BT[:, ::self.chunk]
    per_chunk = self.chunk // self.stride
    age_B = jnp.where(begins_BN[:, 0], 0, cell['age'])
    already_B = age_B // self.stride
    grid = kept_states.on_grid(cell['kept'], self._columns(c_BTR[:, self.stride - 1::self.stride]), already_B)
    # The first place a chunk sees: where its document began, or the oldest state carried in.
    place_N = jnp.arange(0, begins_BN.shape[1] * per_chunk, per_chunk, dtype=jnp.int32)
    start_BN = jnp.where(begins_BN, place_N, -self.kept)
    first_BN = jnp.maximum(jax.lax.cummax(start_BN, axis=1), (already_B - cell['held'])[:, None])
    read_BTHK = kept_states.read(drive_BT['q'], grid, first_BN, self.chunk, self.kept)
    end_B = age_B + jnp.sum(real_BT, 1, dtype=jnp.int32)
    last_BM = (end_B // self.stride)[:, None] + jnp.arange(self.kept)
    held_B = jnp.clip(end_B // self.stride - first_BN[:, -1], 0, self.kept)
    cell = dict(c=c_BTR[:, -1], kept=arrays.at(last_BM, grid), held=held_B, age=end_B % self.chunk)
    return cell, c_BTR + read_BTHK.reshape(c_BTR.shape)

  def peek(self, cell, drive_BT):
    c_BTR = jnp.broadcast_to(cell['c'][:, None], drive_BT['real'].shape + (self.size,))
    return c_BTR + jax.vmap(self._recalled, (None, 1), 1)(cell, drive_BT['q']) if self.kept else c_BTR

  def answer(self, y_BTR, x_BTD):
    if 'read' in self.without:
      y_BTR = jnp.zeros_like(y_BTR)
    normal_BTR = parts.rms_norm(y_BTR).astype(x_BTD.dtype) * self.norm.astype(x_BTD.dtype)
    z_BTR = x_BTD @ self.compress.astype(x_BTD.dtype)
    return jnp.concatenate([z_BTR, normal_BTR], -1) @ self.out.astype(x_BTD.dtype)

  def watch(self, cell, drive_BT, fresh, reset_BT, read):
    c_BTR = self._states(cell['c'], drive_BT, reset_BT)
    norm_BT1 = jnp.sqrt(jnp.sum(jnp.square(c_BTR), -1, keepdims=True))
    if self.recurrence == 'full':
      start_BTR = jnp.concatenate([cell['c'][:, None], c_BTR[:, :-1]], 1)
      start_BTR = jnp.where(reset_BT[..., None], 0, start_BTR)
      moves = self._moves_at(start_BTR, drive_BT)
    else:
      moves = drive_BT
    mean = lambda gate_BTR: jnp.mean(gate_BTR, -1, keepdims=True)
    return dict(keep=mean(jnp.exp(moves['log_f'])), write=mean(moves['w']), norm_state=norm_BT1)

  def _wide(self, parameter):
    return parameter.astype(self.state_dtype)

  def _compressed(self, x_BTD):
    return (x_BTD @ self.compress.astype(x_BTD.dtype)).astype(self.state_dtype)

  def _heads(self, a):
    return a.reshape(*a.shape[:-1], self.heads, self.size // self.heads)

  def _columns(self, c):
    """Keys and values of states that are kept."""
    k, v = jnp.moveaxis(jnp.einsum('...r,rgs->...gs', c, self._wide(self.keys)), -2, 0)
    return dict(k=self._heads(k), v=self._heads(v))

  def _recalled(self, cell, q_BHK):
    seen_BM = jnp.arange(self.kept) >= self.kept - cell['held'][:, None]
    read_BHK = jax.vmap(kept_states.attend)(q_BHK, cell['kept']['k'], cell['kept']['v'], seen_BM)
    return read_BHK.reshape(read_BHK.shape[0], -1)

  def _next(self, c_BR, drive_B):
    if self.recurrence == 'input':
      return jnp.exp(drive_B['log_f']) * c_BR + drive_B['w'] * drive_B['u']
    moves = self._moves_at(c_BR, drive_B)
    next_BR = jnp.exp(moves['log_f']) * c_BR + moves['w'] * moves['u']
    return arrays.pick(drive_B['written'] > 0, next_BR, c_BR)

  def _moves_at(self, c, drive):
    """What 'full' does to the state c, [..., R]."""
    return self._moves(drive['pre'] + jnp.einsum('...r,rgs->...gs', c, self._wide(self.recurrent)))

  def _moves(self, pre):
    """log f, w and u from [..., 3, R]."""
    forget, write, candidate = jnp.moveaxis(pre, -2, 0)
    log_f, w = jax.nn.log_sigmoid(forget), jax.nn.sigmoid(write)
    return dict(log_f=jnp.zeros_like(log_f) if 'forget' in self.without else log_f,
                w=jnp.zeros_like(w) if 'write' in self.without else w, u=jnp.tanh(candidate))

  def _states(self, c_BR, drive_BT, reset_BT):
    """c after every token, [B, T, R]."""
    if self.recurrence == 'input':
      kept_BTR = jnp.where(reset_BT[..., None], 0, jnp.exp(drive_BT['log_f']))
      return scans.all_at_once(kept_BTR, drive_BT['w'] * drive_BT['u'], c_BR)

    def body(c_BR, inputs):
      drive_B, reset_B = inputs
      c_BR = self._next(arrays.pick(reset_B, jnp.zeros_like(c_BR), c_BR), drive_B)
      return c_BR, c_BR

    moving = {name: drive_BT[name] for name in ('pre', 'written')}
    time_first = jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), (moving, reset_BT))
    _, c_TBR = jax.lax.scan(body, c_BR, time_first)
    return jnp.swapaxes(c_TBR, 0, 1)
