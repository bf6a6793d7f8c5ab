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
  y_BC = sum(window_BKC[:, tap] * taps_C for tap, taps_C in enumerate(kernel_KC))
  return arrays.pick(mask_B, window_BKC[:, 1:], tail_BWC), y_BC


def short_conv_in_turn(tail_BWC, x_BTC, kernel_KC, reset_BT, mask_BT) -> tuple[jax.Array, jax.Array]:
  """`short_conv_one`, token after token."""
  def body(tail_BWC, inputs):
    x_BC, reset_B, mask_B = inputs
    return short_conv_one(tail_BWC, x_BC, kernel_KC, reset_B, mask_B)
  tail_BWC, y_TBC = jax.lax.scan(body, tail_BWC, (x_BTC.swapaxes(0, 1), reset_BT.T, mask_BT.T))
  return tail_BWC, y_TBC.swapaxes(0, 1)


def short_conv(tail_BWC, x_BTC, kernel_KC, reset_BT, mask_BT) -> tuple[jax.Array, jax.Array]:
  """Convolves T tokens at once. Its gradients are written by hand, for reverse mode.

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
  # A document's number within the call; the tail belongs to the one that was open before.
  document_BS = jnp.pad(jnp.cumsum(reset_BT & mask_BT, axis=1), ((0, 0), (before, 0)))
  own_BT = document_BS[:, before:]
  earlier_TW = jnp.arange(length)[:, None] + jnp.arange(before)
  here_BTW = document_BS[:, earlier_TW] == own_BT[..., None]
  y_BTC = _convolve(tail_BWC, x_BTC, kernel_KC, here_BTW)
  seen_BSC = jnp.concatenate([tail_BWC, x_BTC], axis=1)
  end_BW = mask_BT.sum(1, keepdims=True) + jnp.arange(before)
  last_BW = jnp.take_along_axis(document_BS, end_BW, axis=1) == document_BS[:, -1:]
  tail_BWC = jax.vmap(lambda seen_SC, end_W: seen_SC[end_W])(seen_BSC, end_BW)
  return arrays.pick(last_BW, tail_BWC, jnp.zeros_like(tail_BWC)), y_BTC


@jax.custom_vjp
def _convolve(tail_BWC, x_BTC, kernel_KC, here_BTW):
  """y of tokens behind a tail; `here` says which of a token's W predecessors are its document's."""
  seen_BSC = jnp.concatenate([tail_BWC, x_BTC], axis=1)
  length, before = here_BTW.shape[1:]
  y_BTC = kernel_KC[before] * x_BTC
  for tap in range(before):
    y_BTC += kernel_KC[tap] * _own(here_BTW, tap, seen_BSC[:, tap:tap + length])
  return y_BTC


def _own(here_BTW, tap, a_BTC):
  """`a` where tap's token belongs to the same document; the last tap's always does."""
  return a_BTC if tap == here_BTW.shape[2] else arrays.pick(here_BTW[..., tap], a_BTC, jnp.zeros_like(a_BTC))


def _convolve_back(kept, d_y_BTC):
  tail_BWC, x_BTC, kernel_KC, here_BTW = kept
  before = here_BTW.shape[2]
  rest = [(0, 0)] * (d_y_BTC.ndim - 2)
  d_seen_BSC = sum(jnp.pad(kernel_KC[tap] * _own(here_BTW, tap, d_y_BTC), [(0, 0), (tap, before - tap), *rest])
                   for tap in range(before + 1))
  seen_BSC = jnp.concatenate([tail_BWC, x_BTC], axis=1)
  d_kernel_KC = jax.lax.platform_dependent(
      seen_BSC, kernel_KC, here_BTW, d_y_BTC, cpu=_kernel_back_by_blocks, default=_kernel_back)
  return d_seen_BSC[:, :before], d_seen_BSC[:, before:], d_kernel_KC, None


_convolve.defvjp(lambda *args: (_convolve(*args), args), _convolve_back)


def _kernel_back(seen_BSC, kernel_KC, here_BTW, d_y_BTC):
  """The gradient at each tap: sum over tokens of its input times the gradient at what came of it."""
  length = d_y_BTC.shape[1]
  return jnp.stack([jnp.sum(seen_BSC[:, tap:tap + length] * _own(here_BTW, tap, d_y_BTC), (0, 1))
                    for tap in range(len(kernel_KC))])


def _kernel_back_by_blocks(seen_BSC, kernel_KC, here_BTW, d_y_BTC, block: int = 64):
  """`_kernel_back` for XLA on CPU, whose sums over leading axes run number by number: blocks of tokens, added up."""
  length, before = here_BTW.shape[1:]
  missing = -length % block
  seen_BSC, here_BTW, d_y_BTC = (
      jnp.pad(a, [(0, 0), (0, missing)] + [(0, 0)] * (a.ndim - 2)) for a in (seen_BSC, here_BTW, d_y_BTC))

  def add(sums_KBNC, start):
    cut = lambda a, offset=0: jax.lax.dynamic_slice_in_dim(a, start + offset, block, 1)
    here, d_y = cut(here_BTW), cut(d_y_BTC)
    return [sums + cut(seen_BSC, tap) * _own(here, tap, d_y) for tap, sums in enumerate(sums_KBNC)], None

  nothing = jnp.zeros((d_y_BTC.shape[0], block, *d_y_BTC.shape[2:]), d_y_BTC.dtype)
  sums_KBNC, _ = jax.lax.scan(add, [nothing] * (before + 1), jnp.arange(0, length, block))
  return jnp.stack([sums.sum((0, 1)) for sums in sums_KBNC])
