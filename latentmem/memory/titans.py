"""A small network whose weights are the memory, trained by its own surprise as tokens arrive.

  u_t = grad_M 1/2 |f(M_anchor; k_t) - v_t|^2     f(M; x) = x + LN(MLP(M; x)), at the weights the chunk began with
  S_t = e_t S_{t-1} - h_t u_t                     h_t = scale (1 - e_t) r_t prod_{s<t in chunk} (1 - r_s (k_t . k_s)^2)
  M_t = (1 - a_t) M_{t-1} + S_t
  y_t = f(M_t; q_t)                               Behrouz et al. 2025, Titans, eq. 9-18

a forgets, e keeps momentum, r is the step's share; one number per token and head. A chunk is the one
granularity there is: within it the gradients do not see one another. B batch, T tokens, C tokens in a
chunk, D model width, H heads, K head width, N chunks.
"""

import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.base.errors import check_known, InputError
from latentmem.memory import parts
from latentmem.ops import chunk_ends, decay, fast_weights, fast_weights_read, networks

GATES = ('token', 'chunk')
FORGET_TO = ('zero', 'start')


class Titans(parts.Heads):
  """A deep memory per head.

  Attributes:
    depth: Matrices of the MLP, 1 to 4.
    expansion: Its inner width, in head widths.
    step_scale: The step where r = 1 and nothing else is held back.
    forget_start, keep_start, share_start: a, e and r at the start of training, for every token.
    forget_to: 'zero' as in the paper; 'start' for M_t = (1 - a_t) M_{t-1} + a_t M_0 + S_t, which never forgets
      what training taught it.
    pairs: Keys and values a token writes, u_t = grad 1/2 sum_j |f(M; k_tj) - v_tj|^2; the brake takes them in order.
    momentum, decay: False holds e, or a, at 0.
    gates: 'token', or 'chunk' for the gates of a chunk's first token all through it.
    layer_scale: Whether each layer has a learned factor on its step.
    weight_residual: Whether surprise and answers are those of M_t + c (P - P_0), with P the weights of the layer below
      when the chunk began, P_0 their start, and c learned, one number for each head and matrix, from 0. Every chunk's
      weights then pass from layer to layer: memory grows with T.
    bound: Soft limit on the size of a chunk's change of each matrix; 0 for none.
    orthogonal: Newton-Schulz steps on a chunk's change of each matrix; 0 for none.
    renormalise: Whether each matrix returns to its first size when a chunk is full.
    value_norm: Whether values have a root mean square of at most 1, which the network's norm can reach: what is read
      again and again is then learned, where larger values pull at the weights for ever.
    write_cost: What training pays for the root of r, in nats a scored token at r = 1 everywhere: gates close over what
      is not worth writing, which keeps long texts from washing out what is. The root makes small r dear, which add up.
  """

  depth: int = 2
  expansion: int = 4
  step_scale: float = 0.03
  forget_start: float = 0.01
  keep_start: float = 0.9
  share_start: float = 0.5
  forget_to: str = 'zero'
  pairs: int = 1
  momentum: bool = True
  decay: bool = True
  gates: str = 'token'
  layer_scale: bool = False
  weight_residual: bool = False
  bound: float = 0.0
  orthogonal: int = 0
  renormalise: bool = False
  value_norm: bool = False
  write_cost: float = 0.0

  resets_anywhere = False
  network = staticmethod(networks.recall)
  layout = parts.Heads.layout + (
      ('forget|keep|share', ('fsdp', 'tensor')),
      (r'start_\d|cell/(weights|momentum|anchor)/\d|cell/keys', ('tensor', None, None)),
      ('cell/shares', ('tensor', None)),
      ('gain|bias|scale', ('tensor', None)),
  )

  def setup(self):
    self._check()
    super().setup()
    heads, head_width = self.head_shape
    self.forget = self.scalar('forget', self.forget_start)
    self.keep = self.scalar('keep', self.keep_start)
    self.share = self.scalar('share', self.share_start)
    init = nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', in_axis=1, out_axis=2, batch_axis=0)
    self.start = tuple(self.param(f'start_{i}', init, (heads, *shape), jnp.float32)
                       for i, shape in enumerate(self.shapes))
    self.gain = self.param('gain', nn.initializers.ones, (heads, head_width), jnp.float32)
    self.bias = self.param('bias', nn.initializers.zeros, (heads, head_width), jnp.float32)
    if self.layer_scale:
      self.scale = self.param('scale', nn.initializers.ones, (heads, self.depth), jnp.float32)
    if self.weight_residual:
      self.residual_scale = self.param('residual_scale', nn.initializers.zeros, (heads, len(self.shapes)), jnp.float32)

  def _check(self):
    if not 1 <= self.depth <= 4:
      raise InputError(f'titans has a depth of 1 to 4, not {self.depth}.')
    if self.pairs < 1:
      raise InputError(f'titans writes at least one pair of key and value a token, not pairs={self.pairs}.')
    for name, known in (('gates', GATES), ('forget_to', FORGET_TO)):
      check_known(getattr(self, name), known, 'titans', name)

  @property
  def shapes(self) -> list[tuple[int, int]]:
    """Of the memory's matrices, one head's."""
    return networks.widths(self.head_shape[1], self.depth, self.expansion)

  @property
  def slow(self):
    return self.gain.astype(self.state_dtype), self.bias.astype(self.state_dtype)

  @property
  def scales(self):
    return self.scale.astype(self.state_dtype) if self.layer_scale else None

  @property
  def plain(self) -> bool:
    """Whether nothing is asked for that `fast_weights_read` does not know."""
    return self.gates == 'token' and self.pairs == 1 and not (
        self.layer_scale or self.bound or self.orthogonal or self.renormalise)

  def origin(self, fresh):
    """Where forgetting leads, as `fast_weights` takes it."""
    return fresh['weights'] if self.forget_to == 'start' else None

  def nothing_lent(self, batch, length, parallel=True, aligned=False):
    if not self.weight_residual:
      return ()
    chunks = -(-(length + (0 if aligned else self.chunk - 1)) // self.chunk)
    count = () if length == 1 else (chunks if parallel else length,)
    heads, _ = self.head_shape
    return tuple(jnp.zeros((*count, batch, heads, *shape), self.state_dtype) for shape in self.shapes),

  def _leaning(self, cell, fresh, below):
    """-> anchor, weights and origin, each with what the layer below lends, and that itself; and what this one lends."""
    anchor, weights, origin = cell['anchor'], cell['weights'], self.origin(fresh)
    if not below:
      return (anchor, weights, origin), None, ()
    scale_LH11 = self.residual_scale.astype(self.state_dtype).T[..., None, None]
    lent = tuple(scale * p for scale, p in zip(scale_LH11, *below))
    plus = lambda tree: jax.tree.map(jnp.add, tree, lent)
    leaning = plus(anchor), plus(weights), lent if origin is None else plus(origin)
    return leaning, lent, (jax.tree.map(jnp.subtract, anchor, fresh['weights']),)

  def init_cell(self, batch):
    heads, head_width = self.head_shape
    weights = tuple(jnp.broadcast_to(w.astype(self.state_dtype), (batch, *w.shape)) for w in self.start)
    zeros = lambda *shape: jnp.zeros((batch, *shape), self.state_dtype)
    return dict(anchor=weights, weights=weights, momentum=jax.tree.map(jnp.zeros_like, weights),
                age=jnp.zeros((batch,), jnp.int32),
                keys=zeros(heads, self.chunk * self.pairs, head_width), shares=zeros(heads, self.chunk * self.pairs),
                gates=tuple(zeros(heads) for _ in range(3 if self.gates == 'chunk' else 0)))

  def age(self, cell):
    return cell['age']

  def driven(self, written_BTD, q, *kv):
    k_BTHPK, v_BTHPK = (jnp.stack(each, axis=3) for each in (kv[:self.pairs], kv[self.pairs:]))
    if self.value_norm:
      v_BTHPK = parts.rms_norm(v_BTHPK, 1e-2)
    drive = dict(
        q=parts.unit(q), k=parts.unit(k_BTHPK), v=v_BTHPK,
        log_keep=jax.nn.log_sigmoid(-self.logits(written_BTD, self.forget)),
        log_e=jax.nn.log_sigmoid(self.logits(written_BTD, self.keep)),
        share=jax.nn.sigmoid(self.logits(written_BTD, self.share)))
    if not self.decay:
      drive['log_keep'] = jnp.zeros_like(drive['log_keep'])
    if not self.momentum:
      drive['log_e'] = jnp.full_like(drive['log_e'], decay.FLOOR)
    return drive | dict(real=jnp.ones_like(drive['share']), written=jnp.ones_like(drive['share']))

  def asked(self, drive_BT):
    return drive_BT | dict(written=jnp.zeros_like(drive_BT['written']))

  def one(self, cell, drive_B, fresh, reset_B, *below):
    cell = arrays.pick(reset_B, fresh, cell)
    cell, gates = self._gates(cell, drive_B, (cell['age'] == 0) & (drive_B['real'][:, 0] > 0), lambda a: a)
    over_heads = jax.vmap(functools.partial(fast_weights.token, network=self.network))
    over_rows_and_heads = jax.vmap(over_heads, in_axes=(0, 0, 0, None) + (0,) * 7 + (None, 0))
    momentum, keys, shares = (cell[name] for name in ('momentum', 'keys', 'shares'))
    write = jax.vmap(lambda held, place, new: held.at[:, place].set(new))
    (anchor, weights, origin), borrowed, lent = self._leaning(cell, fresh, below)
    for pair, (log_keep, log_e, step, share, written) in enumerate(zip(*(jnp.moveaxis(g, -1, 0) for g in gates))):
      key, value, place_B = drive_B['k'][:, :, pair], drive_B['v'][:, :, pair], cell['age'] * self.pairs + pair
      # A key's own place has no share yet, so that it is not its own like; written first, it is written in place.
      keys = write(keys, place_B, key)
      (weights, momentum), y_BHK = over_rows_and_heads(
          anchor, weights, momentum, self.slow, drive_B['q'], key, value, log_keep, log_e,
          step * fast_weights.overlap_one(keys, shares, key), written, self.scales, origin)
      shares = write(shares, place_B, share)
    cell = dict(cell, weights=_returned(weights, borrowed), momentum=momentum, keys=keys, shares=shares,
                age=cell['age'] + (drive_B['real'][:, 0] > 0))
    return self._turn(cell, fresh, arrays.pick_few), y_BHK, *lent

  def many(self, cell, drive_BT, fresh, reset_BT, *below_N):
    drive_N, begins_NB = self._split(drive_BT, reset_BT)
    flat = lambda a: a.reshape(*a.shape[:2], -1, *a.shape[4:])

    def body(cell, inputs):
      drive, begins_B, *below = inputs
      cell = arrays.pick(begins_B, fresh, cell)
      cell, gates = self._gates(
          cell, drive, (cell['age'] == 0) & (drive['real'][:, 0, 0] > 0), lambda a: a[..., 0])
      log_keep, log_e, step, share, written = (flat(gate) for gate in gates)
      keys, shares = cell['keys'] + flat(drive['k']), cell['shares'] + share
      c = fast_weights.coefficients(log_keep, log_e, step * fast_weights.overlap(keys, shares), written)
      q = jnp.repeat(drive['q'], self.pairs, axis=2)
      (anchor, weights, origin), borrowed, lent = self._leaning(cell, fresh, below)
      (weights, momentum), y = fast_weights.chunk(
          anchor, weights, cell['momentum'], self.slow, q, flat(drive['k']), flat(drive['v']), c, self.scales, origin)
      read_B = jnp.sum(drive['real'][:, 0] > 0, -1, dtype=jnp.int32)
      cell = dict(cell, weights=_returned(weights, borrowed), momentum=momentum, keys=keys, shares=shares,
                  age=cell['age'] + read_B)
      return self._turn(cell, fresh), (y[:, :, self.pairs - 1::self.pairs], *lent)

    cell, (y_NBHCK, *lent_N) = jax.lax.scan(
        jax.checkpoint(body, prevent_cse=False), cell, (drive_N, begins_NB, *below_N))
    return cell, self._join(y_NBHCK), *lent_N

  def many_whole(self, cell, drive_BT, fresh, reset_BT, *below_N):
    if below_N or not self.plain:
      return self.many(cell, drive_BT, fresh, reset_BT, *below_N)
    drive_N, begins_NB = self._split(drive_BT, reset_BT)
    start, fresh = ((tree['weights'], tree['momentum']) for tree in (cell, fresh))
    # A document that begins with the next chunk takes its fresh weights at this one's end, in the same pass.
    renew_NB = jnp.concatenate([begins_NB[1:], jnp.zeros_like(begins_NB[:1])])
    inputs = fast_weights_read.Inputs(
        drive_N['q'], drive_N['k'][..., 0, :], drive_N['v'][..., 0, :], drive_N['log_keep'], drive_N['log_e'],
        self._step(drive_N), drive_N['share'])
    slow = tuple(jnp.broadcast_to(s, (begins_NB.shape[1], *s.shape)) for s in self.slow)
    group = fast_weights_read.group_of(len(begins_NB))
    (weights, momentum), y_NBHCK = fast_weights_read.read(
        group, self.forget_to == 'start', arrays.pick(begins_NB[0], fresh, start), fresh, slow, inputs, renew_NB)
    return dict(cell, anchor=weights, weights=weights, momentum=momentum), self._join(y_NBHCK)

  def costs(self, drive_BT):
    if not self.write_cost:
      return {}
    # Tiny, so that the root has a slope where a gate is shut.
    root = jnp.sqrt(drive_BT['share'] + 1e-12)
    return dict(writing=self.write_cost * jnp.mean(root * drive_BT['written']))

  def peek(self, cell, drive_BT):
    q_BHTK = jnp.swapaxes(drive_BT['q'], 1, 2)
    gain, bias = (s[:, None] for s in self.slow)
    return jnp.swapaxes(self.network(cell['weights'], (gain, bias), q_BHTK), 1, 2)

  def watch(self, cell, drive_BT, fresh, reset_BT, read):
    ask = lambda q: read(drive_BT | dict(q=q))
    pairs = [self._surprises(cell, ask, fresh, reset_BT, *(drive_BT[name][:, :, :, pair] for name in 'kv'))
             for pair in range(self.pairs)]
    (end, *_), before, after = zip(*pairs)
    norm_BTH = lambda tree: jnp.sqrt(sum(jnp.sum(jnp.square(a), (-1, -2)) for a in jax.tree.leaves(tree)))[:, None]
    return dict(
        surprise_before=sum(before), surprise_after=sum(after),
        forget=-jnp.expm1(drive_BT['log_keep']), momentum=jnp.exp(drive_BT['log_e']), step_size=self._step(drive_BT),
        norm_change=norm_BTH(jax.tree.map(jnp.subtract, end['weights'], fresh['weights'])),
        norm_momentum=norm_BTH(end['momentum']))

  def _surprises(self, cell, ask, fresh, reset_BT, k, v):
    """The cell at the end, and 1/2 |f(M; k) - v|^2 before and after each token was written, [B, T, H]."""
    surprise = lambda y_BTHK: 0.5 * jnp.sum(jnp.square(y_BTHK - v), -1)
    end, own = ask(k)
    # Asking token t for token t + 1's key shows what the memory knew just before that token was written.
    _, next_before = ask(jnp.roll(k, -1, axis=1))
    first = arrays.pick(reset_BT[:, 0], self.peek(fresh, dict(q=k[:, :1])), self.peek(cell, dict(q=k[:, :1])))
    before = jnp.concatenate([first, next_before[:, :-1]], 1)
    before = arrays.pick(reset_BT, self.peek(fresh, dict(q=k)), before)
    return end, surprise(before), surprise(own)

  def _step(self, drive):
    """h before the overlap brake. (1 - e) makes the whole effect of a write, sum_i e^i h, independent of e."""
    return -jnp.expm1(drive['log_e']) * drive['share'] * self.step_scale

  def _gates(self, cell, drive, begins_B, first):
    """log (1 - a), log e, h before the brake, r and w of every write, [B, H, ..., P]; zeros where none is.

    Of a token's P pairs the first brings the fading of the momentum, the last that of the weights, and their step.
    With gates='chunk' those of the chunk's first token hold for all; `first` takes it from [B, H, ...].
    """
    gates = tuple(drive[name] for name in ('log_keep', 'log_e', 'share'))
    if self.gates == 'chunk':
      held = arrays.pick(begins_B, tuple(first(gate) for gate in gates), cell['gates'])
      cell = dict(cell, gates=held)
      gates = tuple(gate.reshape(gate.shape + (1,) * (drive['real'].ndim - 2)) for gate in held)
    written = drive['written']
    log_keep, log_e, share = (jnp.where(written > 0, gate, 0) for gate in gates)
    at = lambda pair, gate: gate[..., None] * jax.nn.one_hot(pair, self.pairs, dtype=gate.dtype)
    every = lambda gate: jnp.repeat(gate[..., None], self.pairs, axis=-1)
    step = self._step(dict(log_e=log_e, share=share))
    return cell, (at(self.pairs - 1, log_keep), at(0, log_e), every(step), every(share), at(self.pairs - 1, written))

  def _turn(self, cell, fresh, pick_large=arrays.pick):
    """Rows whose chunk is full begin the next one; `pick_large` is how arrays are picked that are large."""
    full_B = cell['age'] == self.chunk
    weights = cell['weights']
    if self.bound or self.orthogonal or self.renormalise:
      weights = chunk_ends.turned(cell['anchor'], weights, fresh['weights'], self.bound, self.orthogonal,
                                  self.renormalise)
    large = pick_large(full_B, dict(anchor=weights, keys=jnp.zeros_like(cell['keys'])),
                       dict(anchor=cell['anchor'], keys=cell['keys']))
    begun = dict(weights=weights, age=jnp.zeros_like(cell['age']), shares=jnp.zeros_like(cell['shares']))
    return dict(cell, **arrays.pick(full_B, begun, {name: cell[name] for name in begun}), **large)

  def _split(self, drive_BT, reset_BT):
    """[B, T, H, ...] to chunks [N, B, H, C, ...]; and which rows begin a document with each chunk, [N, B]."""
    def leaf(a):
      a = a.reshape(a.shape[0], -1, self.chunk, *a.shape[2:])
      return jnp.moveaxis(jnp.moveaxis(a, 1, 0), 3, 2)
    return jax.tree.map(leaf, drive_BT), reset_BT[:, ::self.chunk].T

  def _join(self, y_NBHCK):
    y = jnp.moveaxis(jnp.moveaxis(y_NBHCK, 0, 1), 2, 3)
    return y.reshape(y.shape[0], -1, *y.shape[3:])


def _returned(weights, borrowed):
  """Weights without what was borrowed."""
  return weights if borrowed is None else jax.tree.map(jnp.subtract, weights, borrowed)
