"""Short causal convolution along a document, channel by channel, with a tail that carries it across calls.

y_t = sum_{j=0..W} kernel_{W-j} x_{t-j}, over the tokens of t's own document.
B batch (rows), T tokens, C channels (one axis or several), K taps (the last is the token itself), W = K - 1.
A tail of W zeros is a sequence's start. Real tokens (mask True) come first in each row; masked ones leave no trace.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays


def short_conv_one(tail_BWC, x_BC, kernel_KC, reset_B, mask_B) -> tuple[jax.Array, jax.Array]:
  """The meaning: one token. -> tail_BWC, y_BC."""
  own_BWC = arrays.pick(reset_B & mask_B, jnp.zeros_like(tail_BWC), tail_BWC)
  window_BKC = jnp.concatenate([own_BWC, x_BC[:, None]], axis=1)
  y_BC = (window_BKC * kernel_KC).sum(1)
  return arrays.pick(mask_B, window_BKC[:, 1:], tail_BWC), y_BC


def short_conv_in_turn(tail_BWC, x_BTC, kernel_KC, reset_BT, mask_BT) -> tuple[jax.Array, jax.Array]:
  """`short_conv_one`, token after token."""
  def body(tail_BWC, inputs):
    x_BC, reset_B, mask_B = inputs
    return short_conv_one(tail_BWC, x_BC, kernel_KC, reset_B, mask_B)
  tail_BWC, y_TBC = jax.lax.scan(body, tail_BWC, (x_BTC.swapaxes(0, 1), reset_BT.T, mask_BT.T))
  return tail_BWC, y_TBC.swapaxes(0, 1)


def short_conv(tail_BWC, x_BTC, kernel_KC, reset_BT, mask_BT) -> tuple[jax.Array, jax.Array]:
  """Convolves T tokens at once.

  Args:
    tail_BWC: The last W real tokens of each row, from an earlier call; zeros at a sequence's start.
    x_BTC: Tokens, in the tail's dtype.
    kernel_KC: Taps, the token's own last.
    reset_BT: True where a document begins; the token sees nothing before itself.
    mask_BT: False where there is no token.

  Returns:
    tail_BWC, y_BTC. Zeros stand in the tail for what is not of the row's latest document.
  """
  length, taps = x_BTC.shape[1], kernel_KC.shape[0]
  if length == 1:
    tail_BWC, y_BC = short_conv_one(tail_BWC, x_BTC[:, 0], kernel_KC, reset_BT[:, 0], mask_BT[:, 0])
    return tail_BWC, y_BC[:, None]
  before = taps - 1
  seen_BSC = jnp.concatenate([tail_BWC, x_BTC], axis=1)
  # A document's number within the call; the tail belongs to the one that was open before.
  document_BS = jnp.pad(jnp.cumsum(reset_BT & mask_BT, axis=1), ((0, 0), (before, 0)))
  own_BT = document_BS[:, before:]
  y_BTC = kernel_KC[before] * x_BTC
  for tap in range(before):
    here_BT = document_BS[:, tap:tap + length] == own_BT
    y_BTC += kernel_KC[tap] * arrays.pick(here_BT, seen_BSC[:, tap:tap + length], jnp.zeros_like(x_BTC))
  end_BW = mask_BT.sum(1, keepdims=True) + jnp.arange(before)
  last_BW = jnp.take_along_axis(document_BS, end_BW, axis=1) == document_BS[:, -1:]
  tail_BWC = jax.vmap(lambda seen_SC, end_W: seen_SC[end_W])(seen_BSC, end_BW)
  return arrays.pick(last_BW, tail_BWC, jnp.zeros_like(tail_BWC)), y_BTC
