"""Two models that share nothing but slots: one reads a scene and writes them, the other is asked and reads them.

  row = [scene | questions]
  s = perception(scene)      a decoder with the memory `slots`; s are the slots that it wrote, all else is dropped
  i = message(s)             whole numbers, the bits of which are counted
  logits = reasoning(told(i), questions)       another decoder, whose memory begins with those slots

  channel = 'slots'   each number of normal(s_n) becomes one of 2^b levels: b bits each
  channel = 'text'    a slot is put in words, b M / log2 V of a vocabulary of V, and rebuilt from them alone:
                      s_n = normal(sum_k E_k[i_nk]), i_nk = argmax(W_k normal(s_n))
so that either passes L N M b bits a row. Each model has its own embedding, and one loss trains both (`ops.channels`).

With `views` = P the scene is cut in P parts, each read from a fresh state by an agent of its own with the same
parameters, and reasoning gets the slots of all: agents that never met, or one that comes back later.

B rows, S tokens of a scene, L layers, P views, N slots of all views, M width of a slot, K numbers or words that
tell it.
"""

import dataclasses
import math
from typing import Any, ClassVar

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.base.errors import check_known, InputError
from latentmem.model import decoder, interface
from latentmem.ops import channels, slots

CHANNELS = ('slots', 'text')
SENT = ('own', 'shuffled', 'zeroed')


def _agent(**memory):
  return dict(kind='decoder', compose=dict(kind='plain'), memory=dict(kind='slots') | memory)


class Sharing(interface.Base):
  """Answers questions about what it has not seen. Logits of the scene are not made; they are 0.

  Attributes:
    vocab: Of scenes and questions.
    scene: S.
    views: P.
    channel: 'slots' or 'text'.
    bits: b.
    words: V, a power of 2, for 'text'.
    sent: Whose slots arrive: a row's 'own', those of the row before it ('shuffled'), or none but zeros ('zeroed').
    perception: Kind and fields of the model that sees; its memory has the slots of a view.
    reasoning: Kind and fields of the model that answers; its memory has those of all views, and opens none.
  """

  vocab: int = 256
  scene: int = 64
  views: int = 1
  channel: str = 'slots'
  bits: int = 4
  words: int = 256
  sent: str = 'own'
  perception: Any = dataclasses.field(default_factory=lambda: _agent(slots=8, opened=8))
  reasoning: Any = dataclasses.field(default_factory=lambda: _agent(slots=8, opened=0))

  # Fields that are models themselves, and have their vocabulary from this one.
  models: ClassVar[tuple[str, ...]] = ('perception', 'reasoning')

  def setup(self):
    self._check()
    self.sees, self.reasons = self._made('perception'), self._made('reasoning')
    if self.channel == 'text':
      size, count = self.size, self.told_by
      self.say = self.param('say', nn.initializers.normal(size ** -0.5), (size, count, self.words), jnp.float32)
      self.hear = self.param('hear', nn.initializers.normal(1.0), (count, self.words, size), jnp.float32)

  def _made(self, name: str, **outside):
    fields = {field: value for field, value in getattr(self, name).items() if field != 'kind'}
    return decoder.Decoder(**fields, vocab=self.vocab, **outside)

  def _check(self):
    check_known(self.channel, CHANNELS, 'sharing', 'channel')
    check_known(self.sent, SENT, 'sharing', 'slots to be sent')
    both = self.perception, self.reasoning
    for name, fields in zip(self.models, both):
      if fields['kind'] != 'decoder' or fields['memory']['kind'] != 'slots':
        raise InputError(f"sharing takes decoders with the memory 'slots'; its {name} is a {fields['kind']!r} with "
                         f"{fields['memory']['kind']!r}.")
    sizes = [(fields['layers'], fields['memory']['latent'] or fields['width'], fields['memory']['slots'] * views)
             for fields, views in zip(both, (self.views, 1))]
    if sizes[0] != sizes[1]:
      raise InputError(f'sharing passes slots on as they are: layers, width of a slot and slots of all views are '
                       f'{sizes[0]} in perception and {sizes[1]} in reasoning.')
    if self.reasoning['memory']['opened']:
      raise InputError(f'The slots of reasoning are in use from the start; its memory takes opened=0, not '
                       f"{self.reasoning['memory']['opened']}.")
    chunk = self.perception['memory']['chunk']
    if self.views < 1 or self.scene < 1 or self.scene % (self.views * chunk):
      raise InputError(f'A view is written when its chunks are full: scene={self.scene} must be a multiple of '
                       f'views={self.views} times the chunk of {chunk}.')
    told = self.bits * self.size / math.log2(self.words) if self.words > 1 else 0.5
    if not 1 <= self.bits <= 16 or self.channel == 'text' and (self.words & self.words - 1 or told != int(told)):
      raise InputError(f'sharing takes bits from 1 to 16, and words that are a power of 2 and tell a slot of '
                       f'{self.size} x {self.bits} bits in whole words; it got bits={self.bits}, words={self.words}.')

  @property
  def size(self) -> int:
    """M."""
    return self.reasoning['memory']['latent'] or self.reasoning['width']

  @property
  def told_by(self) -> int:
    """K."""
    return self.size if self.channel == 'slots' else round(self.bits * self.size / math.log2(self.words))

  @property
  def codes(self) -> int:
    """How many there are: a number of a message is from 0 to one less."""
    return 2 ** self.bits if self.channel == 'slots' else self.words

  @property
  def passed_bits(self) -> int:
    """What passes from one model to the other, of a row."""
    return self.reasoning['layers'] * self.reasoning['memory']['slots'] * self.size * self.bits

  @property
  def layout(self):
    found = [rule for name in self.models for rule in self._made(name, parent=None).layout]
    return tuple(dict.fromkeys(found)) + (('say|hear', ()),)

  def init_state(self, batch):
    """Reasoning's: nothing is left of perception but slots."""
    return self.reasons.init_state(batch)

  def first(self, tokens_BT):
    """Reads a row of zeros with a scene and one token after it."""
    batch = tokens_BT.shape[0]
    return self(self.init_state(batch), jnp.zeros((batch, self.scene + 1), jnp.int32))

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    if tokens_BT.shape[1] <= self.scene:
      raise InputError(f'A row of {tokens_BT.shape[1]} tokens has no room for a scene of {self.scene} and a question.')
    apart = lambda a_BT: (None, None) if a_BT is None else (a_BT[:, :self.scene], a_BT[:, self.scene:])
    (scene_BS, asked_BQ), (real_BS, real_BQ) = apart(tokens_BT), apart(mask_BT)
    if reset_BT is not None:
      begins_B = jnp.any(reset_BT[:, :self.scene], 1)
      # Rows are the second axis of a decoder's carry, behind layers.
      carry = jax.vmap(arrays.pick, (None, 0, 0))(begins_B, self.init_state(len(tokens_BT)), carry)
    s_BLNM = self.passed(self.perceive(scene_BS, real_BS, parallel=parallel))
    carry, logits_BQV = self.answer(carry, s_BLNM, asked_BQ, real_BQ, parallel=parallel, aligned=aligned)
    return carry, jnp.pad(logits_BQV, ((0, 0), (self.scene, 0), (0, 0)))

  def perceive(self, scene_BS, mask_BS=None, *, parallel=True):
    """Reads scenes, or some views of them -> slots [B, L, N, M], a view's behind those of the view before."""
    part = self.scene // self.views
    rows, views = scene_BS.shape[0], scene_BS.shape[1] // part
    alone = lambda a_BS: None if a_BS is None else a_BS.reshape(rows * views, part)
    carry, _ = self.sees.through(self.sees.init_state(rows * views), self.sees.embedded(alone(scene_BS)), None,
                                 alone(mask_BS), parallel=parallel, aligned=mask_BS is None)
    s_LPNM = carry['memory']['cell']['slots']
    layers, _, count, size = s_LPNM.shape
    return jnp.moveaxis(s_LPNM.reshape(layers, rows, views * count, size), 0, 1)

  def message(self, s_BLNM):
    """What is said of slots: whole numbers [B, L, N, K]."""
    if self.channel == 'slots':
      return channels.levels(slots.normal(s_BLNM), self.bits)
    return channels.tokens(self._scores(s_BLNM))

  def told(self, i_BLNK):
    """What reasoning makes of a message: slots [B, L, N, M]."""
    if self.channel == 'slots':
      return channels.of_levels(i_BLNK, self.bits, self.reasoning['state_dtype'])
    return self._heard(jnp.eye(self.words, dtype=self.reasoning['state_dtype'])[i_BLNK])

  def passed(self, s_BLNM):
    """`told` of `message`, of the slots that are `sent`, with a gradient; training tries words by a key 'dropout'."""
    if self.channel == 'slots':
      s_BLNM = channels.through_levels(slots.normal(s_BLNM), self.bits)
    else:
      key = self.make_rng('dropout') if self.has_rng('dropout') else None
      s_BLNM = self._heard(channels.through_tokens(self._scores(s_BLNM), key))
    if self.sent == 'zeroed':
      return jnp.zeros_like(s_BLNM)
    return jnp.roll(s_BLNM, 1, axis=0) if self.sent == 'shuffled' else s_BLNM

  def answer(self, carry, s_BLNM, tokens_BQ, mask_BQ=None, *, parallel=True, aligned=False):
    """Reads questions with these slots in the memory -> carry, logits_BQV."""
    held = carry['memory']
    cell = dict(held['cell'], slots=jnp.moveaxis(s_BLNM, 1, 0).astype(held['cell']['slots'].dtype))
    carry = dict(carry, memory=dict(held, cell=cell))
    carry, h_BQD = self.reasons.through(carry, self.reasons.embedded(tokens_BQ), None, mask_BQ, parallel=parallel,
                                        aligned=aligned)
    return carry, self.reasons.logits(h_BQD)

  def _scores(self, s_BLNM):
    return jnp.einsum('blnm,mkv->blnkv', slots.normal(s_BLNM), self.say.astype(s_BLNM.dtype))

  def _heard(self, said_BLNKV):
    return slots.normal(jnp.einsum('blnkv,kvm->blnm', said_BLNKV, self.hear.astype(said_BLNKV.dtype)))
