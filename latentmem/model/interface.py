"""What a model is: tokens to logits, with one carry for everything that persists. Training and sessions see no more.

B batch (rows), T tokens, V vocabulary.
"""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays

Carry = Any


class Base(nn.Module):
  """Reads tokens into a carry, and predicts the next ones."""

  @property
  def layout(self) -> tuple:
    """Which axes of a mesh its parameters lie on: see `base.sharding`."""
    raise NotImplementedError

  @property
  def align(self) -> int:
    """Documents may start at multiples of this; 1 where they may start anywhere."""
    return 1

  def init_state(self, batch: int) -> Carry:
    """A fresh carry for `batch` rows; may depend on learned values."""
    raise NotImplementedError

  def __call__(self, carry: Carry, tokens_BT: jax.Array, reset_BT=None, mask_BT=None, *,
               parallel: bool = True, aligned: bool = False):
    """Reads T tokens of each row.

    Args:
      carry: From `init_state`, or from an earlier call.
      tokens_BT: Token numbers.
      reset_BT: True where a document begins; the row forgets everything before that token.
      mask_BT: False where there is no token, anywhere in a row. A reset there is no reset.
      parallel: False reads token after token, the meaning; True reads many at once, the same faster.
      aligned: Promises that every row stands where chunks (and segments) begin, which saves the shifting of rows.

    Returns:
      carry, logits_BTV in at least float32. Logits where there is no token mean nothing.
    """
    raise NotImplementedError

  def last(self, carry: Carry, tokens_BT: jax.Array, mask_BT=None):
    """Reads tokens as the call does -> carry, logits_BV after each row's last real token."""
    carry, logits_BTV = self(carry, tokens_BT, None, mask_BT)
    return carry, arrays.last(logits_BTV, mask_BT)

  def first(self, tokens_BT: jax.Array):
    """Reads tokens from a fresh carry."""
    return self(self.init_state(tokens_BT.shape[0]), tokens_BT)


def init_params(model: Base, key: jax.Array) -> dict:
  """The model's parameters at the start of training, {'params': ...}: what `model.apply` takes first."""
  # A layer of somebody else's may tell things while it is made.
  init = jax.jit(lambda key: model.init(key, jnp.zeros((1, 1), jnp.int32), method='first', mutable=['params']))
  return {'params': init(key)['params']}
