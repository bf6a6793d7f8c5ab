"""A low-rank change of the base's projections, one for each person.

  y = W x + (alpha / R) b_u a_u x                       Hu et al. 2021, LoRA, arXiv 2106.09685; one per person: OPPU,
                                                        Tan et al. 2024, arXiv 2402.04401
a starts at random and b at zero, so that the base is as it was until something is learned. No prompt.

Personal alone: there is nothing that people share.
B rows, L layers, R rank, U people.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from latentmem.base.errors import check_known, InputError
from latentmem.personal import interface


class Lora(interface.Base):
  """Changes of projections.

  Attributes:
    rank: R.
    alpha: Size of the change is alpha / R; 0 takes 2 R.
    targets: Which of the base's projections, joined by commas; '' for all.
  """

  rank: int = 16
  alpha: float = 0.0
  targets: str = ''

  has_shared: ClassVar[bool] = False

  @property
  def chosen(self) -> list[str]:
    """Names of the projections that change. Raises InputError for one that the base has not."""
    if not self.projections:
      raise InputError("lora changes a base's projections, and this base lets nothing change them; qwen3 does.")
    for name in filter(None, self.targets.split(',')):
      check_known(name, self.projections, 'the base', 'projection')
    return list(filter(None, self.targets.split(','))) or list(self.projections)

  def start_personal(self, key, people):
    tables = {}
    for name, each in zip(self.chosen, jax.random.split(key, len(self.chosen))):
      into, out = self.projections[name]
      tables[name] = dict(a=jax.random.normal(each, (people, self.layers, into, self.rank)) * into ** -0.5,
                          b=jnp.zeros((people, self.layers, self.rank, out)))
    return tables

  def given(self, personal, embed, x_BQD, real_BQ):
    size = (self.alpha or 2 * self.rank) / self.rank
    # The base runs over its layers, so they come first.
    first = lambda rows, factor: jnp.swapaxes(rows, 0, 1) * factor
    return interface.Given(lora={name: dict(a=first(each['a'], 1), b=first(each['b'], size))
                                 for name, each in personal.items()})
