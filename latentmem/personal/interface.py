"""What an adapter is: numbers that all people share, numbers of each person, and what the two make of a question.

  shared     one tree, used for everybody               personal     a tree of tables [U, ...], a row for each person

An adapter has the one, the other or both. From a person's row and the question's embeddings it gives the frozen base
two things, either of which may be missing: a soft prompt that is read before the question, and a change of the base's
projections (the collection 'lora' of `model.qwen3`). It sees the rows of the people who ask and no other, row by row.

B rows, Q tokens of a question, D width of the base, P tokens of the prompt, U people, V vocabulary.
"""

from typing import Any, ClassVar, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.personal.questions import Moments

Tree = Any
SHARED, PERSONAL = 'shared', 'personal'


class Given(NamedTuple):
  """What an adapter gives the base for a batch of questions.

  Attributes:
    prompt_BPD: Read before the question; None for no prompt.
    lora: {projection: {'a': [L, B, in, R], 'b': [L, B, R, out]}}; None for no change.
    looks: What is worth looking at, by name: attention to slots.
  """

  prompt_BPD: jax.Array | None = None
  lora: dict | None = None
  looks: dict = {}


class Base(nn.Module):
  """Two collections of parameters, and what they make of a question.

  Attributes:
    width: D.
    vocab: V.
    layers: Of the base.
    projections: (numbers in, numbers out) of the base's projections, by name; empty for a base that takes no changes.
    people: U.
  """

  width: int
  vocab: int
  layers: int
  projections: dict
  people: int

  # Which of the two collections a kind has.
  has_shared: ClassVar[bool] = True
  has_personal: ClassVar[bool] = True
  # Whether what people share takes something from questions of training before the first step.
  measures: ClassVar[bool] = False

  def setup(self):
    if self.has_shared:
      self.shared = self.param(SHARED, self.start_shared)
    if self.has_personal:
      self.table = self.param(PERSONAL, lambda key: self.start_personal(key, self.people))

  def start_shared(self, key: jax.Array) -> dict:
    """What all people share, at the start of training."""
    raise NotImplementedError

  def measured(self, shared: dict, found: Moments) -> dict:
    """What all people share, with what was measured of questions."""
    raise NotImplementedError

  def start_personal(self, key: jax.Array, people: int) -> dict:
    """Rows of people of whom nothing is known."""
    raise NotImplementedError

  @property
  def prompt(self) -> int:
    """P; 0 for no prompt."""
    return 0

  @property
  def layout(self) -> tuple:
    """People are shared out as parameters are; what they share is whole everywhere."""
    one = lambda key: self.start_personal(key, 1) if self.has_personal else {}
    shapes = jax.eval_shape(one, jax.random.key(0))
    rows = tuple((f'{PERSONAL}/{name}', ('fsdp', *(None,) * (len(leaf.shape) - 1)))
                 for name, leaf in arrays.named(shapes).items())
    return rows + ((f'{SHARED}/.+', ()),)

  def of(self, person_B: jax.Array) -> Tree:
    """The rows of these people."""
    return jax.tree.map(lambda table: table[person_B], self.table) if self.has_personal else {}

  def given(self, personal: Tree, embed, x_BQD: jax.Array, real_BQ: jax.Array) -> Given:
    """What the base gets for these questions.

    Args:
      personal: A row for each question, as `of` returns it.
      embed: Token numbers to the base's embeddings.
      x_BQD: Embeddings of the questions.
      real_BQ: True where there is a token of the question.
    """
    raise NotImplementedError

  def __call__(self, person_B, embed, x_BQD, real_BQ) -> Given:
    return self.given(self.of(person_B), embed, x_BQD, real_BQ)


def around(words_PD: jax.Array, added_BPD: jax.Array, x_BQD: jax.Array, real_BQ: jax.Array) -> jax.Array:
  """A prompt: words, and what is added to them in the size of each question's own, of the prompt's if nothing is asked.

  Size is the root mean square: how large the base's own vectors are.
  """
  square_B = jnp.sum(jnp.square(x_BQD) * real_BQ[..., None], (1, 2)) / _count(real_BQ) / x_BQD.shape[-1]
  square_B = jnp.where(real_BQ.any(1), square_B, jnp.mean(jnp.square(words_PD)))
  return words_PD + added_BPD * jnp.sqrt(square_B + 1e-12)[:, None, None]


def pooled(x_BQD: jax.Array, real_BQ: jax.Array) -> jax.Array:
  """The mean of each question's embeddings, [B, D], and zeros where there is no question; in float32 at least."""
  x_BQD = x_BQD.astype(jnp.promote_types(x_BQD.dtype, jnp.float32))
  return jnp.sum(x_BQD * real_BQ[..., None], 1) / _count(real_BQ)[:, None]


def _count(real_BQ):
  return jnp.maximum(real_BQ.sum(1), 1)

