"""A decoder that thinks between question and answer: vectors in the place of tokens, each made by the pass before.

A row is [question | thoughts | rest]; NOTHING fills what a span has too many, THOUGHT stands where a row thinks. The
question is read in one pass, each thought but the last in one of its own, the last together with the rest: n thoughts
are n + 1 passes over spans that share no place, against one carry. h is what the pass before made of its last token:

  feedback   the next input is h                                               (Coconut, Hao et al. 2024, 2412.06769)
  stream     r, f, w = sigmoid(W norm(h) + b);  the next input is h' = (1 - f) h + r c;  c <- norm(c + w h')
                                                                    (AGCLR, Farhan and Chaudhary 2026, 2606.07720)
  state      the next input is h, and the layers hold a `token_state` that runs on from token to thought to token
  pause      learned vectors, which wait for nothing and are read together with the rest
  none       no thoughts

B rows, T tokens, D width, V vocabulary, Q tokens of a question, K thoughts, N vectors that wait to be read.
"""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays, spans
from latentmem.base.errors import check_known, InputError
from latentmem.base.spans import THOUGHT
from latentmem.model import decoder

FEEDS = ('feedback', 'stream', 'state', 'pause', 'none')
# Those that hold something from thought to thought, which can be left out.
HOLDING = ('stream', 'state')

# Read, forget and write gates at the start of training: 0.43, 0.27 and 0.18.
STARTS = dict(read=-0.28, forget=-1.0, write=-1.5)


class Thought(NamedTuple):
  """What a row has in mind.

  Attributes:
    next_BND: What is read next; N is 1, or K for `pause`, 0 for `none`.
    h_BD: What the last pass made of its last token.
    stream_BD: c; zeros where there is no stream.
    gates_B3: Means of read, forget and write; zeros where there is no stream. Of a state see `Latent.state_gates`.
    count_B: Thoughts made.
  """

  next_BND: jax.Array
  h_BD: jax.Array
  stream_BD: jax.Array
  gates_B3: jax.Array
  count_B: jax.Array


class Stream(nn.Module):
  """AGCLR's gated concept stream.

  Attributes:
    width: D.
    without: Gates held at 0, of STARTS, joined by commas.
    write_until: Thoughts after which nothing is written; 0 for no end.
  """

  width: int
  without: str = ''
  write_until: int = 0

  def setup(self):
    self.gates = self.param('gates', nn.initializers.zeros, (self.width, len(STARTS), self.width), jnp.float32)
    start = lambda key, shape: jnp.broadcast_to(jnp.asarray([*STARTS.values()], jnp.float32)[:, None], shape)
    self.bias = self.param('bias', start, (len(STARTS), self.width))
    self.gate_norm, self.stream_norm = nn.LayerNorm(1e-5), nn.LayerNorm(1e-5)

  def __call__(self, h_BD, stream_BD, count_B):
    """-> next input, stream, gates_B3D in the order of STARTS."""
    wide_BD = self.gate_norm(h_BD)
    gates_B3D = jax.nn.sigmoid(jnp.einsum('bd,dge->bge', wide_BD, self.gates.astype(wide_BD.dtype)) + self.bias)
    gates_B3D *= jnp.asarray([part not in self.without.split(',') for part in STARTS])[:, None]
    read_BD, forget_BD, write_BD = jnp.moveaxis(gates_B3D, 1, 0)
    next_BD = (1 - forget_BD) * h_BD + read_BD * stream_BD
    written_BD = self.stream_norm(stream_BD + write_BD * next_BD)
    if self.write_until:
      written_BD = arrays.pick(count_B < self.write_until, written_BD, stream_BD)
    return next_BD.astype(h_BD.dtype), written_BD.astype(h_BD.dtype), gates_B3D


class Latent(decoder.Decoder):
  """Predicts the rest of a row. Logits of question and thoughts are not made; they are 0. Telemetry is of the rest.

  Attributes:
    feed: What a thought is made of: feedback, stream, state, pause or none.
    question: Q.
    thoughts: K, the most that a row may think; 0 for `none`.
    without: Parts of the stream that are left out: 'read', 'write', 'forget', joined by commas.
    write_until: Thoughts after which the stream, or the state, is no longer written; 0 for no end.
  """

  feed: str = 'feedback'
  question: int = 128
  thoughts: int = 6
  without: str = ''
  write_until: int = 0

  def setup(self):
    self._check()
    super().setup()
    if self.feed == 'stream':
      self.stream = Stream(self.width, self.without, self.write_until)
    if self.feed == 'pause':
      self.pause = self.param('pause', nn.initializers.normal(1.0), (self.thoughts, self.width), jnp.float32)

  def _check(self):
    check_known(self.feed, FEEDS, 'latent', 'feed')
    if self.question < 1 or self.thoughts < 0 or (self.thoughts == 0) != (self.feed == 'none'):
      raise InputError(f'latent with feed={self.feed!r} has question={self.question} and thoughts={self.thoughts}; it '
                       "takes a question of 1 token or more, and thoughts unless feed is 'none'.")
    for part in filter(None, self.without.split(',')):
      check_known(part, STARTS, 'latent', 'part')
    if self.without and self.feed != 'stream' or self.write_until and self.feed not in HOLDING:
      raise InputError(f"without is for feed='stream', write_until for it and 'state', not {self.feed!r}; a state is "
                       'left without parts by memory.without.')
    if self.memory.get('write_cost'):
      raise InputError('latent reads a row in several passes, and a write_cost would be of the last alone; it takes 0.')
    if self.feed == 'state' and self.memory['kind'] != 'token_state':
      raise InputError(f"feed='state' needs the memory token_state; it has {self.memory['kind']!r}.")

  @property
  def layout(self):
    return super().layout + (('pause|stream/.+', ()),)

  @property
  def sequential(self) -> bool:
    """Whether a thought waits for the pass before it."""
    return self.feed in ('feedback', 'stream', 'state')

  def first(self, tokens_BT):
    """Reads a row of zeros with all thoughts and one token of the rest."""
    start = self.question + self.thoughts
    row_BT = jnp.zeros((tokens_BT.shape[0], start + 1), jnp.int32).at[:, self.question:start].set(THOUGHT)
    return self(self.init_state(tokens_BT.shape[0]), row_BT)

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    length, begins = tokens_BT.shape[1], self.question + self.thoughts
    if length <= begins:
      raise InputError(f'A row of {length} tokens has no room for a question of {self.question}, {self.thoughts} '
                       'thoughts and an answer.')
    apart = lambda a_BT: spans.split(a_BT, self.question, self.thoughts)
    real_BT = jnp.ones(tokens_BT.shape, bool) if mask_BT is None else mask_BT
    asked_BQ, _, rest_BA = apart(tokens_BT)
    asks_BQ, _, says_BA = apart(real_BT & (tokens_BT >= 0))
    _, thinks_BK, _ = apart(real_BT & (tokens_BT == THOUGHT))
    reset_BQ = None if reset_BT is None else apart(reset_BT)[0]
    carry, thought = self.ask(carry, asked_BQ, reset_BQ, asks_BQ, parallel=parallel, aligned=aligned)
    if self.sequential:
      carry, thought = self._thinks(carry, thought, thinks_BK[:, 1:])
      thinks_BK = thinks_BK[:, :1]
    carry, logits_BAV = self.reply(carry, thought, thinks_BK, rest_BA, says_BA, parallel=parallel)
    return carry, jnp.pad(logits_BAV, ((0, 0), (begins, 0), (0, 0)))

  def ask(self, carry, tokens_BQ, reset_BQ=None, mask_BQ=None, *, parallel=True, aligned=False):
    """Reads a question, whose real tokens may lie anywhere in a row -> carry, Thought."""
    rows = tokens_BQ.shape[0]
    mask_BQ = jnp.ones(tokens_BQ.shape, bool) if mask_BQ is None else mask_BQ
    carry, h_BQD = self.through(carry, self.embedded(jnp.maximum(tokens_BQ, 0)), reset_BQ, mask_BQ, parallel=parallel,
                                aligned=aligned)
    last_B = tokens_BQ.shape[1] - 1 - jnp.argmax(mask_BQ[:, ::-1], axis=1)
    h_BD = arrays.at(last_B[:, None], h_BQD)[:, 0]
    return carry, self._next(h_BD, jnp.zeros_like(h_BD), jnp.zeros(rows, jnp.int32))

  def think(self, carry, thought: Thought, thinks_B=None):
    """Reads what a row has in mind, where it thinks, and makes the next thought -> carry, Thought."""
    thinks_B = jnp.ones(thought.count_B.shape, bool) if thinks_B is None else thinks_B
    carry, h_B1D = self.through(carry, thought.next_BND, None, thinks_B[:, None],
                                write_BT=self._writes(thought.count_B[:, None]))
    return carry, arrays.pick(thinks_B, self._next(h_B1D[:, 0], thought.stream_BD, thought.count_B + 1), thought)

  def reply(self, carry, thought: Thought, thinks_BN, tokens_BA, mask_BA=None, *, parallel=True):
    """Reads the thoughts that wait, where a row thinks, and tokens after them -> carry, logits_BAV of the tokens."""
    mask_BA = jnp.ones(tokens_BA.shape, bool) if mask_BA is None else mask_BA
    x_BTD = jnp.concatenate([thought.next_BND, self.embedded(jnp.maximum(tokens_BA, 0))], axis=1)
    real_BT = jnp.concatenate([thinks_BN, mask_BA], axis=1)
    waiting = thinks_BN.shape[1]
    said_T = jnp.arange(x_BTD.shape[1]) >= waiting
    before_BT = thought.count_B[:, None] + said_T * jnp.sum(thinks_BN, axis=1, keepdims=True)
    carry, h_BTD = self.through(carry, x_BTD, None, real_BT, write_BT=self._writes(before_BT), parallel=parallel)
    return carry, self.logits(h_BTD[:, waiting:])

  def go_on(self, carry, tokens_BT, thoughts_B, mask_BT=None):
    """Reads more tokens of the rest, after so many thoughts -> carry, logits_BTV."""
    before_BT = jnp.broadcast_to(thoughts_B[:, None], tokens_BT.shape)
    carry, h_BTD = self.through(carry, self.embedded(tokens_BT), None, mask_BT, write_BT=self._writes(before_BT))
    return carry, self.logits(h_BTD)

  def held(self, carry, thought: Thought):
    """What a row holds from thought to thought beside what it has read: the stream, or every layer's state; [B, E]."""
    if self.feed == 'stream':
      return thought.stream_BD
    rows = thought.h_BD.shape[0]
    if self.feed == 'state':
      return jnp.moveaxis(carry['memory']['cell']['c'], 1, 0).reshape(rows, -1)
    return jnp.zeros((rows, 0), thought.h_BD.dtype)

  def state_gates(self, telemetry):
    """Means of what a state reads (1 or, left without, 0), forgets and is written by, over layers: [B, T, 3].

    Args:
      telemetry: What a call over T tokens sowed.
    """
    told = telemetry['block']['mixer']['memory']
    keep_BT, write_BT = (told[name][..., 0].mean(0) for name in ('keep', 'write'))
    read = float('read' not in self.memory['without'].split(','))
    return jnp.stack([jnp.full_like(keep_BT, read), 1 - keep_BT, write_BT], axis=-1)

  def lacking(self, without: str = '', write_until: int = 0) -> 'Latent':
    """The same model with its stream or state left without parts, to see what they are for; its parameters fit."""
    if self.feed == 'state':
      return self.clone(memory=dict(self.memory, without=without), write_until=write_until)
    return self.clone(without=without, write_until=write_until)

  def _writes(self, before_BT):
    """Where memories are written, by the thoughts before each token; None for everywhere."""
    return before_BT < self.write_until if self.feed == 'state' and self.write_until else None

  def _thinks(self, carry, thought, thinks_BK):
    """Thought after thought."""
    def body(latent, kept, thinks_B):
      return latent.think(*kept, thinks_B), None
    if decoder.REMAT[self.remat]:
      body = nn.remat(body, policy=decoder.REMAT[self.remat])
    scan = nn.scan(body, variable_broadcast='params', split_rngs={'params': False}, in_axes=1)
    (carry, thought), _ = scan(self, (carry, thought), thinks_BK)
    return carry, thought

  def _next(self, h_BD, stream_BD, count_B) -> Thought:
    """The thought that follows from h."""
    rows, width = h_BD.shape
    next_BND, gates_B3 = h_BD[:, None], jnp.zeros((rows, len(STARTS)), h_BD.dtype)
    if self.feed == 'stream':
      next_BD, stream_BD, gates_B3D = self.stream(h_BD, stream_BD, count_B)
      next_BND, gates_B3 = next_BD[:, None], gates_B3D.mean(-1).astype(h_BD.dtype)
    elif self.feed == 'pause':
      next_BND = jnp.broadcast_to(self.pause.astype(h_BD.dtype), (rows, *self.pause.shape))
    elif self.feed == 'none':
      next_BND = jnp.zeros((rows, 0, width), h_BD.dtype)
    return Thought(next_BND, h_BD, stream_BD, gates_B3, count_B)
