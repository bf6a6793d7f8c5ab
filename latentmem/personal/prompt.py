"""Prompt tuning: a soft prompt for each person, the same whatever is asked.

  P_u = E[t] + s C_u                               Lester et al. 2021, The Power of Scale, arXiv 2104.08691
t are tokens drawn once, the same for all people, E the base's embeddings and s the root mean square of the question's,
or of E[t] where nothing is asked: C is learned from zero, so the prompt starts as words of the base do, and a step of C
is one in their size.

Personal alone: there is nothing that people share.
B rows, D width, P tokens, U people, V vocabulary.
"""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from latentmem.personal import interface


class Prompt(interface.Base):
  """A soft prompt.

  Attributes:
    tokens: P.
  """

  tokens: int = 20

  has_shared: ClassVar[bool] = False

  @property
  def prompt(self):
    return self.tokens

  def start_personal(self, key, people):
    return dict(change=jnp.zeros((people, self.tokens, self.width)))

  def given(self, personal, embed, x_BQD, real_BQ):
    words_PD = started(embed, self.vocab, self.tokens)
    return interface.Given(interface.around(words_PD, personal['change'], x_BQD, real_BQ))


def started(embed, vocab: int, tokens: int):
  """Embeddings of tokens drawn at random, always the same, [P, D]."""
  return embed(jnp.asarray(np.random.default_rng(0).integers(vocab, size=tokens)))
