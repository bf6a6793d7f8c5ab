"""No memory: a soft prompt that all people share, trained as the others are.

  P = E[t] + s C                                                                                  see `prompt`
It learns what the questions are like, and can know nobody: what it scores is what a method scores that ignores who
asks. Shared alone: no number belongs to a person.
D width, P tokens.
"""

from typing import ClassVar

import jax.numpy as jnp

from latentmem.personal import interface
from latentmem.personal.prompt import started


class Nobody(interface.Base):
  """A soft prompt for everybody.

  Attributes:
    tokens: P.
  """

  tokens: int = 20

  has_personal: ClassVar[bool] = False

  @property
  def prompt(self):
    return self.tokens

  def start_shared(self, key):
    return dict(change=jnp.zeros((self.tokens, self.width)))

  def given(self, personal, embed, x_BQD, real_BQ):
    words_PD = started(embed, self.vocab, self.tokens)
    return interface.Given(interface.around(words_PD, self.shared['change'], x_BQD, real_BQ))
