"""Latent personal memory: slots of a person, which a projection that all people share turns into a soft prompt.

  p_h = softmax(W_Qh e (W_Kh M_uh)' / sqrt(K)) W_Vh M_uh       P_h = E[t_h] + s LN_h(p_h + MLP(p_h))       h = 1 .. H
                                                              Das et al. 2026, Latent Personal Memory, arXiv 2606.20911
M_u [H, N, M] are the slots of person u, e = e(x) an embedding of the question: each head gives one token of the prompt,
and another question reads other slots. MLP(p) = down gelu(up p), the same for all heads.

What the paper leaves open, and what is done here so that it trains. E[t_h] are embeddings of tokens drawn once, as in
`prompt`, and LN's gain starts at GAIN: the prompt starts as words of the base, which tokens that point anywhere would
disturb, and what slots say is added to them. s is the root mean square of the question's own embeddings (of the words
before it, where nothing is asked): the base reads prompts of the size of its words, whatever that size is. e(x) is what
tells the question from others (`questions`), measured once, before training, on questions of training: by their mean
embeddings alone, which point nearly the same way, slots are hardly told apart. Slots and matrices start so that p has
numbers of size 1, `down` at zero. Every matrix is kept as W sqrt(numbers in), of size 1 like the slots, so that a step
of Adam turns all of them by the same share.

Both collections: the projection is `shared`, the slots are `personal`.
B rows, D width, H heads, N slots of a head, M numbers of a slot, R directions of e, K key width, F hidden, U people.
"""

from typing import ClassVar

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.personal import interface, questions
from latentmem.personal.prompt import started

EPS, GAIN = 1e-6, 0.3


class Lpm(interface.Base):
  """Slots, read by the question.

  Attributes:
    heads: H, and tokens of the prompt.
    slots: N.
    slot_width: M.
    key_width: K.
    hidden: F; 0 takes D.
    directions: R, at most D; 0 takes D.
  """

  heads: int = 64
  slots: int = 32
  slot_width: int = 64
  key_width: int = 64
  hidden: int = 0
  directions: int = 256

  measures: ClassVar[bool] = True

  @property
  def prompt(self):
    return self.heads

  def start_shared(self, key):
    heads, width, size, hidden = self.heads, self.width, self.slot_width, self.hidden or self.width
    directions = min(self.directions or width, width)
    keys = iter(jax.random.split(key, 4))
    normal = lambda *shape: jax.random.normal(next(keys), shape)
    return dict(query=normal(heads, directions, self.key_width), key=normal(heads, size, self.key_width),
                value=normal(heads, size, width), up=normal(width, hidden), down=jnp.zeros((hidden, width)),
                scale=jnp.full((heads, width), GAIN), bias=jnp.zeros((heads, width)),
                **questions.unmeasured(width, directions))

  def measured(self, shared, found):
    return shared | questions.measured(found, shared['basis'].shape[1])

  def start_personal(self, key, people):
    return dict(slots=jax.random.normal(key, (people, self.heads, self.slots, self.slot_width)))

  def given(self, personal, embed, x_BQD, real_BQ):
    e_BR = questions.features(self.shared, interface.pooled(x_BQD, real_BQ), real_BQ.any(1))
    added_BHD, attention_BHN = read(self.shared, personal['slots'], e_BR)
    prompt_BHD = interface.around(started(embed, self.vocab, self.heads), added_BHD, x_BQD, real_BQ)
    return interface.Given(prompt_BHD, looks=dict(attention_BHN=attention_BHN))


def read(shared: dict, slots_BHNM: jax.Array, e_BR: jax.Array) -> tuple[jax.Array, jax.Array]:
  """-> what is added to the words, before its scale [B, H, D], and how each head looked at its slots [B, H, N]."""
  matrix = lambda name: shared[name] * shared[name].shape[-2] ** -0.5
  q_BHK = jnp.einsum('br,hrk->bhk', e_BR, matrix('query'))
  k_BHNK = jnp.einsum('bhnm,hmk->bhnk', slots_BHNM, matrix('key'))
  attention_BHN = jax.nn.softmax(jnp.einsum('bhk,bhnk->bhn', q_BHK, k_BHNK) * q_BHK.shape[-1] ** -0.5, -1)
  # What is read is projected, not every slot: the projection is linear.
  p_BHD = jnp.einsum('bhm,hmd->bhd', jnp.einsum('bhn,bhnm->bhm', attention_BHN, slots_BHNM), matrix('value'))
  p_BHD += nn.gelu(p_BHD @ matrix('up'), approximate=False) @ matrix('down')
  return layer_norm(p_BHD) * shared['scale'] + shared['bias'], attention_BHN


def layer_norm(x_BHD: jax.Array) -> jax.Array:
  """Mean 0 and variance 1 over the last axis."""
  away_BHD = x_BHD - x_BHD.mean(-1, keepdims=True)
  return away_BHD * jax.lax.rsqrt(jnp.mean(jnp.square(away_BHD), -1, keepdims=True) + EPS)
