"""A frozen base and an adapter as one model, over rows of questions to persons.

  [person | question, padded | answer]                       place 0: vocab + u     places 1 to Q     from Q + 1 on

The base reads [soft prompt ; question ; answer], its projections changed, where the adapter gives either. Its own
parameters stand in the collection 'base', never among those that are trained:

  model.apply(dict(params=adapter's, base=the base's params), carry, tokens_BT)

A row is read whole, from its person on; numbers below 0 (spans.NOTHING) are no tokens and leave no trace. Rows are
apart: a row is read with the numbers of its own person and nothing else's.
B rows, T tokens, D width, P tokens of the prompt, Q tokens of the question, U people, V vocabulary.
"""

import math
from typing import Any

import jax.numpy as jnp

from latentmem import model as models
from latentmem import personal as adapters
from latentmem.base.errors import InputError
from latentmem.model import interface
from latentmem.personal.interface import Given, pooled

BASE = 'base'


class Personal(interface.Base):
  """Answers for many people.

  Attributes:
    base: Kind and fields of the base.
    adapter: Kind and fields of the adapter.
    people: U.
    question: Q.
  """

  base: dict
  adapter: dict
  people: int = 1
  question: int = 40

  def setup(self):
    self.personal = adapters.make(self.adapter, self.base, self.people)

  @property
  def vocab(self) -> int:
    """Of the base; the person u is the number vocab + u."""
    return self.base['vocab']

  @property
  def prompt(self) -> int:
    """P."""
    return adapters.make(self.adapter, self.base, 1).prompt

  @property
  def layout(self):
    own = adapters.make(self.adapter, self.base, self.people).layout
    return (*((f'personal/{pattern}', axes) for pattern, axes in own), *self._base().layout)

  def _base(self):
    """The base by itself: its parameters are given where it is applied."""
    kind = models.find(self.base['kind'])
    if not hasattr(kind, 'through'):
      raise InputError(f"A person's memory needs a base that reads vectors, which {self.base['kind']!r} does not.")
    return kind(**{name: value for name, value in self.base.items() if name != 'kind'}, parent=None)

  def _of_base(self, method: str, *args, lora=None, **more):
    variables = dict(params=self.variables[BASE])
    if lora:
      variables['lora'] = dict(block=lora)
    return self._base().apply(variables, *args, method=method, **more)

  def embedded(self, tokens_BT):
    return self._of_base('embedded', jnp.maximum(tokens_BT, 0))

  def init_state(self, batch):
    """The base's carry. Whoever reads longer rows than its context gives the base more."""
    if self.is_initializing():
      return ()
    return self._of_base('init_state', batch)

  def first(self, tokens_BT):
    """The adapter's parameters; the base is not asked for."""
    person_B, real_B1 = jnp.zeros(tokens_BT.shape[0], jnp.int32), jnp.ones((tokens_BT.shape[0], 1), bool)
    width = self._base().width
    embed = lambda tokens: jnp.zeros((*jnp.shape(tokens), width))
    return self.personal(person_B, embed, embed(tokens_BT[:, :1]), real_B1).prompt_BPD

  def asked(self, tokens_BT):
    """The mean of the base's embeddings of each row's question, and whether it asks anything -> e_BD, asked_B."""
    asked_BQ = tokens_BT[:, 1:1 + self.question]
    real_BQ = _real(asked_BQ, None)
    return pooled(self.embedded(asked_BQ), real_BQ), real_BQ.any(1)

  def given(self, tokens_BT, mask_BT=None) -> Given:
    """What the adapter gives for rows, of which only persons and questions are looked at."""
    asked_BQ = tokens_BT[:, 1:1 + self.question]
    real_BQ = _real(asked_BQ, None if mask_BT is None else mask_BT[:, 1:1 + self.question])
    person_B = jnp.clip(tokens_BT[:, 0] - self.vocab, 0, self.people - 1)
    return self.personal(person_B, self.embedded, self.embedded(asked_BQ), real_BQ)

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    """Reads whole rows, each from its beginning: `reset_BT` may say so and nothing else. Logits of place 0 are 0."""
    if tokens_BT.shape[1] <= 1 + self.question:
      raise InputError(f'A row of {tokens_BT.shape[1]} tokens has no room for a person, a question of {self.question} '
                       'and an answer.')
    carry, logits_BTV = self.read(carry, self.given(tokens_BT, mask_BT), tokens_BT[:, 1:],
                                  None if mask_BT is None else mask_BT[:, 1:], parallel=parallel)
    return carry, jnp.pad(logits_BTV, ((0, 0), (1, 0), (0, 0)))

  def read(self, carry, given: Given, tokens_BT, mask_BT=None, *, parallel=True):
    """Reads a prompt and tokens after it, from the row's beginning -> carry, logits_BTV of the tokens."""
    real_BT, x_BTD = _real(tokens_BT, mask_BT), self.embedded(tokens_BT)
    length = 0 if given.prompt_BPD is None else given.prompt_BPD.shape[-2]
    if length + x_BTD.shape[1] > self.base.get('context', math.inf):
      raise InputError(f'The base sees {self.base["context"]} tokens, and a prompt of {length} with {x_BTD.shape[1]} '
                       'behind it is more; a larger context of the base would do.')
    if given.prompt_BPD is not None:
      prompt_BPD = jnp.broadcast_to(given.prompt_BPD, (x_BTD.shape[0], *given.prompt_BPD.shape[-2:]))
      x_BTD = jnp.concatenate([prompt_BPD.astype(x_BTD.dtype), x_BTD], axis=1)
      real_BT = jnp.pad(real_BT, ((0, 0), (length, 0)), constant_values=True)
    reset_BT = jnp.zeros(real_BT.shape, bool).at[:, 0].set(True)
    # The first real token begins the row, wherever it stands.
    reset_BT = reset_BT if length else real_BT & (jnp.cumsum(real_BT, axis=1) == 1)
    carry, h_BTD = self._of_base('through', carry, x_BTD, reset_BT, real_BT, lora=given.lora, parallel=parallel)
    return carry, self._of_base('logits', h_BTD[:, length:])

  def go_on(self, carry, given: Given, tokens_BT, mask_BT=None):
    """Reads more of an answer, by what was given for the question -> carry, logits_BTV."""
    carry, h_BTD = self._of_base('through', carry, self.embedded(tokens_BT), None, _real(tokens_BT, mask_BT),
                                 lora=given.lora)
    return carry, self._of_base('logits', h_BTD)


def _real(tokens_BT, mask_BT: Any):
  real_BT = tokens_BT >= 0
  return real_BT if mask_BT is None else real_BT & mask_BT
