"""Slots: a latent space that tokens are mapped into, reasoned in, and written to.

  z_t = normal(conv(W_i x)_t)                        a token in the slots' space; slots s_n are as they stood when its
  z_t <- step_r(z_t, s) for r = 0 .. R               chunk began, n those in use
  y_t = W_y [normal(z_t) sigmoid(W_x x_t)]
  a chunk is full: s <- opened(s), s <- write(s, its z_t), s <- settle(s)

`step` retrieves, combines, and keeps or discards, `write` is by attention and a gate for each slot (`ops.slots`),
`opened` takes slots into use and merges or evicts where there are too few (`ops.slot_growth`). Step 0 is latent
rewriting: a token becomes what it is in the light of what is stored. Steps 1 to R are memory-aware reasoning. All
steps share their weights but for a gate that knows the step's number and the token as it came, and so can stop.

When it reasons: every token does, on its way to its answer, for who asks knows what is looked for. What it concludes
is what is written when the chunk is full, so that reasoning is written back, gated, and later chunks start from it.
With `settle` the slots then ask one another too. `think` reasons on demand: no token is emitted, each step is written
back to the slots at once, and the trajectory is returned, which `replay` takes up at any step.

Tokens of an unfinished chunk wait in the state, and are seen by attention beside the memory (mag or mal with a window
of a chunk or more), not by its slots.
B batch, T tokens, C tokens in a chunk, D model width, M width of the latent space, N slots, H heads, R steps, Q tokens
of a query.
"""

import math

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base import arrays
from latentmem.base.errors import check_known, InputError
from latentmem.memory import interface, parts
from latentmem.ops import conv, slot_growth, slots

# What `one` and `many` tell beside z, for `watch`: the largest weight of the last step, its gate, slots in use.
TOLD = ('sharpest', 'keep', 'in_use')
# The age of a slot that is not in use and not free.
CLOSED = -1


class Slots(interface.Base):
  """N slots a row.

  Attributes:
    slots: N, all there is room for.
    latent: M; 0 takes the width.
    heads: H, that divide M.
    conv: Tokens the short convolution sees; 0 for none.
    steps: R; 0 for rewriting alone, which retrieves once.
    settle: Steps in which slots ask one another when a chunk is full.
    opened: Slots that a chunk opens; with 0 all N are in use from a document's start.
    policy: Where more would be opened than are free: 'keep', 'merge' or 'evict', as in `ops.slot_growth`.
    compete: 'slots' or 'tokens', as in `ops.slots`.
    inner: Width inside of what combines; 0 takes M.
    sharp_start: How sharp attention is at the start of training: the score of what matches exactly. Soft finds first
      and sharpens then; sharp from the start, it looks at a slot drawn by lot and hardly a gradient tells of others.
    keep_start, write_start, settle_start: The gates of a step, of a write and of settling at the start of training.
    keep_falls: Each step's gate at the start, as a share of that of the step before. Where all are alike, steps that a
      question does not need go to hops that take one; later ones that move less at first are left to later hops.
    fade: What is left of a slot's use after a chunk; the least used are evicted.
  """

  slots: int = 64
  latent: int = 0
  heads: int = 4
  conv: int = 4
  steps: int = 2
  settle: int = 0
  opened: int = 4
  policy: str = 'evict'
  compete: str = 'slots'
  inner: int = 0
  sharp_start: float = 2.0
  keep_start: float = 0.5
  keep_falls: float = 1.0
  write_start: float = 0.1
  settle_start: float = 0.05
  fade: float = 0.9

  resets_anywhere = False
  layout = (
      ('into', ('fsdp', 'tensor')),
      ('query', ('fsdp', 'tensor', None)),
      ('keys', ('fsdp', None, 'tensor', None)),
      ('up|ask|offer', ('fsdp', 'tensor')),
      ('down', ('tensor', 'fsdp')),
      ('gate', ('fsdp', 'tensor')),
      ('out', ('tensor', 'fsdp')),
  )

  def setup(self):
    self._check()
    size, heads, f32 = self.size, self.heads, jnp.float32
    dense = nn.initializers.lecun_normal()
    self.into = self.param('into', dense, (self.width, size), f32)
    if self.conv:
      self.taps = self.param('conv', nn.initializers.normal(self.conv ** -0.5), (self.conv, size), f32)
    shapes = dict(
        start=(nn.initializers.normal(1.0), (self.slots, size)),
        query=(parts.FROM_MODEL, (size, heads, size // heads)),
        keys=(parts.FROM_MODEL_3, (size, 2, heads, size // heads)),
        sharp=(nn.initializers.constant(math.log(self.sharp_start)), (heads,)),
        up=(dense, (2 * size, self.inner or size)),
        down=(nn.initializers.zeros, (self.inner or size, size)),
        keep=(nn.initializers.zeros, (2 * size, heads)),
        keep_bias=(self._fading, (self.steps + 1, heads)),
        pace=(nn.initializers.zeros, (self.steps + 1, size, heads)),
        ask=(dense, (size, size)), offer=(dense, (size, size)),
        sharp_write=(nn.initializers.constant(math.log(self.sharp_start)), ()),
        share=(_shares_of_a_chunk, (self.opened + 1, self.chunk)),
        drain=(nn.initializers.zeros, (size,)),
        write=(nn.initializers.zeros, (2 * size,)),
        write_bias=(nn.initializers.constant(parts.logit('write', self.write_start)), ()),
        settle_bias=(nn.initializers.constant(parts.logit('settle', self.settle_start)), (heads,)))
    self.moving = {name: self.param(name, start, shape, f32) for name, (start, shape) in shapes.items()}
    self.gate = self.param('gate', dense, (self.width, size), f32)
    self.norm = self.param('norm', nn.initializers.ones, (size,), f32)
    self.out = self.param('out', dense, (size, self.width), f32)

  def _check(self):
    check_known(self.policy, slot_growth.POLICIES, 'slots', 'policy')
    check_known(self.compete, slots.COMPETE, 'slots', 'way to compete')
    if self.slots < 1 or not 0 <= self.opened <= self.slots:
      raise InputError(f'slots opens at most all its slots in a chunk; it got slots={self.slots}, '
                       f'opened={self.opened}.')
    if self.steps < 0 or self.settle < 0:
      raise InputError(f'slots reasons in 0 steps or more; it got steps={self.steps}, settle={self.settle}.')
    if self.heads < 1 or self.size % self.heads:
      raise InputError(f'{self.heads} heads do not divide a latent space of {self.size}; choose another latent, or '
                       'other heads.')
    if not 0 < self.keep_falls <= 1:
      raise InputError(f'slots needs a keep_falls above 0, up to 1; it got {self.keep_falls}.')
    if self.sharp_start <= 0 or not 0 <= self.fade <= 1:
      raise InputError(f'slots needs sharp_start above 0 and a fade from 0 to 1; it got {self.sharp_start} and '
                       f'{self.fade}.')

  def _fading(self, key, shape, dtype):
    """Bias of each step's gate, by head."""
    logits_R = [parts.logit('keep', self.keep_start * self.keep_falls ** r) for r in range(shape[0])]
    return jnp.broadcast_to(jnp.asarray(logits_R, dtype)[:, None], shape)

  @property
  def size(self) -> int:
    """M."""
    return self.latent or self.width

  @property
  def weights(self):
    return {name: weight.astype(self.state_dtype) for name, weight in self.moving.items()}

  def init_tail(self, batch, dtype):
    return jnp.zeros((batch, max(self.conv - 1, 0), self.size), dtype)

  def init_cell(self, batch):
    zeros = lambda *shape: jnp.zeros((batch, *shape), self.state_dtype)
    start_NM = self.moving['start'].astype(self.state_dtype)
    return dict(slots=jnp.broadcast_to(start_NM, (batch, *start_NM.shape)),
                ages=jnp.full((batch, self.slots), 0 if self.opened else 1, jnp.int32), usage=zeros(self.slots),
                waiting=zeros(self.chunk, self.size), written=zeros(self.chunk), age=jnp.zeros((batch,), jnp.int32))

  def age(self, cell):
    return cell['age']

  def drive(self, tail, x_BTD, reset_BT, mask_BT):
    tail, z_BTM = self._mapped(tail, x_BTD, reset_BT, mask_BT)
    real_BT = jnp.ones(reset_BT.shape, self.state_dtype)
    return tail, dict(z=z_BTM, real=real_BT, written=real_BT)

  def asked(self, drive_BT):
    return drive_BT | dict(written=jnp.zeros_like(drive_BT['written']))

  def one(self, cell, drive_B, fresh, reset_B):
    cell = arrays.pick(reset_B, fresh, cell)
    z_B1M, read_B1N, y_B1 = self._reasoned(cell, drive_B['z'][:, None])
    here_BC = jax.nn.one_hot(cell['age'], self.chunk, dtype=self.state_dtype) * drive_B['written'][:, None]
    cell = dict(cell, waiting=cell['waiting'] + here_BC[..., None] * z_B1M, written=cell['written'] + here_BC,
                usage=cell['usage'] + drive_B['written'][:, None] * read_B1N[:, 0],
                age=cell['age'] + (drive_B['real'] > 0))
    # Most tokens fill no chunk, and writing costs more than a token.
    return jax.lax.cond(jnp.any(cell['age'] == self.chunk), self._turned, lambda cell: cell, cell), y_B1[:, 0]

  def many(self, cell, drive_BT, fresh, reset_BT):
    chunks = lambda a: jnp.swapaxes(a.reshape(a.shape[0], -1, self.chunk, *a.shape[2:]), 0, 1)

    def body(cell, inputs):
      drive, begins_B = inputs
      cell = arrays.pick(begins_B, fresh, cell)
      z_BCM, read_BCN, y_BC = self._reasoned(cell, drive['z'])
      written_BC = drive['written']
      cell = dict(cell, waiting=cell['waiting'] + written_BC[..., None] * z_BCM, written=cell['written'] + written_BC,
                  usage=cell['usage'] + jnp.einsum('bc,bcn->bn', written_BC, read_BCN),
                  age=cell['age'] + jnp.sum(drive['real'] > 0, -1, dtype=jnp.int32))
      return self._turned(cell), y_BC

    inputs = jax.tree.map(chunks, drive_BT), reset_BT[:, ::self.chunk].T
    cell, y_NBC = jax.lax.scan(jax.checkpoint(body, prevent_cse=False), cell, inputs)
    return cell, jnp.swapaxes(y_NBC, 0, 1).reshape(*reset_BT.shape, -1)

  def peek(self, cell, drive_BT):
    return self._reasoned(cell, drive_BT['z'])[2]

  def answer(self, y_BT, x_BTD):
    dtype = x_BTD.dtype
    gate_BTM = nn.sigmoid(x_BTD @ self.gate.astype(dtype))
    normal_BTM = slots.normal(y_BT[..., :self.size]).astype(dtype) * self.norm.astype(dtype)
    return (normal_BTM * gate_BTM) @ self.out.astype(dtype)

  def watch(self, cell, drive_BT, fresh, reset_BT, read):
    _, y_BT = read(drive_BT)
    return {name: y_BT[..., self.size + i:self.size + i + 1] for i, name in enumerate(TOLD)}

  def think(self, cell, query_BQD, steps: int | None = None, write_back: bool = True):
    """Reasons about a query and emits no token.

    Args:
      cell: Of a state.
      query_BQD: At most a chunk of tokens, as the memory reads them; they are neither waiting nor written themselves.
      steps: Steps after the rewriting, R where None; more than R go on with the last one's gate.
      write_back: Whether each step writes what it has concluded into the slots before the next one retrieves.

    Returns:
      The cell after it, the answers [B, Q, D], and the trajectory, whose records lie along its first axis: slots
      [S+1, B, N, M] and thoughts [S+1, B, Q, M] before the first and after every step, usage [S+1, B, N]; weights
      [S, B, Q, H, N] of what was retrieved, gates [S, B, Q, H] and written [S, B, N]. live [B, N] tells slots in use.
      S is steps + 1, for the rewriting is one of them.

    Raises:
      InputError: for a query longer than a chunk, or steps below 0.
    """
    if query_BQD.shape[1] > self.chunk:
      raise InputError(f'slots thinks about a chunk of {self.chunk} tokens or fewer at once, not {query_BQD.shape[1]}.')
    batch, tokens = query_BQD.shape[:2]
    nothing = jnp.zeros((batch, tokens), bool)
    _, z_BQM = self._mapped(self.init_tail(batch, query_BQD.dtype), query_BQD, nothing, ~nothing)
    begun = dict(slots=cell['slots'][None], thoughts=z_BQM[None], usage=cell['usage'][None], live=cell['ages'] > 0)
    trajectory = self.replay(begun, steps=steps, write_back=write_back)
    after = dict(cell, slots=trajectory['slots'][-1], usage=trajectory['usage'][-1])
    return after, self.answer(trajectory['thoughts'][-1], query_BQD).astype(query_BQD.dtype), trajectory

  def replay(self, trajectory, start: int = 0, steps: int | None = None, write_back: bool = True):
    """A trajectory again from step `start` on: what its first `start` steps recorded, and the rest anew.

    Change a record, a slot say, and see what would have become of it. Arguments as in `think`.
    """
    steps = self.steps if steps is None else steps
    if steps < 0 or not 0 <= start <= min(steps + 1, len(trajectory['slots']) - 1):
      raise InputError(f'A trajectory of {len(trajectory["slots"]) - 1} steps cannot be taken up at step {start} for '
                       f'{steps} steps after the rewriting.')
    paced = self._odds(trajectory['thoughts'][0])[np.minimum(np.arange(start, steps + 1), self.steps)]
    return slots.trajectory(self.weights, trajectory, start, paced, self.compete, write_back)

  def closed(self, cell):
    """A cell that has written what waits in a chunk, as far as it came."""
    return self._turned(dict(cell, age=jnp.where(cell['age'] > 0, self.chunk, 0)))

  @staticmethod
  def beside(cell, others):
    """A cell with the slots of other cells behind its own; what waits to be written elsewhere does not come along.

    It is the cell of a memory with as many slots, whose start is this one's, as often. The others' slots are asked and
    written to as any; for hundreds of chunks they are not evicted, and what is opened finds as much room as it did.
    """
    most = jnp.finfo(cell['usage'].dtype).max / 4
    closed = lambda held: dict(held, ages=jnp.where(held['ages'] > 0, held['ages'], CLOSED),
                               usage=jnp.full_like(held['usage'], most))
    along = dict(slots=-2, ages=-1, usage=-1)
    return dict(cell, **{name: jnp.concatenate([held[name] for held in (cell, *map(closed, others))], axis)
                         for name, axis in along.items()})

  @staticmethod
  def spared(cell, fresh, count: int, own_B, others_B):
    """A cell of `beside` without some of what it holds, row by row.

    Args:
      fresh: As a document starts.
      count: Slots that are its own, the first of them.
      own_B: False puts these, and what waits to be written, back to a document's start.
      others_B: False takes the others out of use.
    """
    own_BN, others_BN = own_B[:, None], others_B[:, None]
    first_N = jnp.arange(cell['ages'].shape[-1]) < count
    kept_BN = jnp.where(first_N, own_BN, True)
    held = {name: jnp.where(kept_BN[..., None] if cell[name].ndim == 3 else kept_BN, cell[name], fresh[name])
            for name in ('slots', 'ages', 'usage')}
    held['ages'] = jnp.where(first_N | others_BN, held['ages'], CLOSED)
    return dict(cell, **held, **arrays.pick(own_B, *({name: tree[name] for name in ('waiting', 'written')}
                                                     for tree in (cell, fresh))))

  def _mapped(self, tail, x_BTD, reset_BT, mask_BT):
    """Tokens in the slots' space."""
    z_BTM = x_BTD @ self.into.astype(x_BTD.dtype)
    if self.conv:
      tail, z_BTM = conv.short_conv(tail, z_BTM, self.taps.astype(x_BTD.dtype), reset_BT, mask_BT)
    return tail, slots.normal(z_BTM.astype(self.state_dtype))

  def _odds(self, z_BTM):
    """Log odds of each step's gate, [R + 1, B, T, H], by the tokens as they came."""
    weights = self.weights
    return jnp.einsum('btm,rmh->rbth', z_BTM, weights['pace']) + weights['keep_bias'][:, None, None]

  def _reasoned(self, cell, z_BTM):
    """What tokens conclude from the slots: z, what they read of each slot [B, T, N], and y."""
    weights, live_BN = self.weights, cell['ages'] > 0
    z_BTM, read_BTN, a_BTHN, g_BTH = slots.reason(
        weights, z_BTM, slots.columns(weights, cell['slots']), live_BN, self._odds(z_BTM))
    in_use_BT = jnp.broadcast_to(jnp.mean(live_BN, -1, dtype=z_BTM.dtype)[:, None], z_BTM.shape[:2])
    told = jnp.stack([jnp.mean(jnp.max(a_BTHN, -1), -1), jnp.mean(g_BTH, -1), in_use_BT], -1)
    return z_BTM, read_BTN, jnp.concatenate([z_BTM, told], -1)

  def _turned(self, cell):
    """Rows whose chunk is full write it, and begin the next one."""
    weights, zeros = self.weights, jnp.zeros_like
    store = {name: cell[name] for name in ('slots', 'ages', 'usage')}
    store = dict(store, usage=store['usage'] * self.fade)
    wants_B = jnp.any(cell['written'] > 0, -1)
    store, opened_BNG = slot_growth.opened(store, weights['start'], self.opened, self.policy, wants_B)
    live_BN = store['ages'] > 0
    s_BNM, _, a_BNC = slots.write(weights, store['slots'], live_BN, opened_BNG, cell['waiting'], cell['written'],
                                  self.compete)
    begun = dict(cell, slots=slots.settle(weights, s_BNM, live_BN, self.settle), ages=store['ages'] + live_BN,
                 usage=store['usage'] + jnp.sum(a_BNC, -1), waiting=zeros(cell['waiting']),
                 written=zeros(cell['written']), age=zeros(cell['age']))
    return arrays.pick(cell['age'] == self.chunk, begun, cell)


def _shares_of_a_chunk(key, shape, dtype):
  """Where opened slots look at first: each at its own share of the chunk; the last row, nobody's, at nothing."""
  count, length = shape[0] - 1, shape[1]
  place_C = jnp.arange(length) * count // length
  return 4.0 * (jnp.arange(count + 1)[:, None] == jnp.where(count > 0, place_C, -1)).astype(dtype)
