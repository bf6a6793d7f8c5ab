"""A held-out passage, and how much every token of it surprised each layer's memory.

L layers, T tokens, H heads.
"""

import jax
import numpy as np

from latentmem.train import telemetry
from latentmem.train.state import fresh_carry


def heldout_tokens(source, length: int, align: int) -> np.ndarray:
  """The first `length` tokens of the first held-out document that has so many, else of the longest; int32."""
  best, padded = np.zeros(0, np.int32), -(-length // align) * align
  for batch in source.heldout(1, padded, align):
    starts = np.flatnonzero(batch['reset_BT'][0])
    if len(starts) and starts[0] == 0:
      end = min(starts[1] if len(starts) > 1 else padded, length)
      real = np.flatnonzero(batch['weights_BT'][0][:end])
      tokens = batch['tokens_BT'][0][:real[-1] + 1 if len(real) else 0]
      if len(tokens) > len(best):
        best = tokens
      if len(best) >= length - 1:
        break
  return best


def record(model, params, source, length: int = 1024) -> dict | None:
  """What passage.json holds: tokens, pieces, and [L][T] means over heads of what the memories tell.

  None where the source is no text, or no memory tells its surprise.
  """
  if not hasattr(source, 'pieces'):
    return None
  tokens_T = heldout_tokens(source, length, model.align)
  length = -(-length // model.align) * model.align
  padded_BT = np.pad(tokens_T, (0, length - len(tokens_T)))[None]

  @jax.jit
  def read(params):
    reset_BT = np.arange(length)[None] == 0
    carry = fresh_carry(model, params, 1)
    _, sown = model.apply(params, carry, padded_BT, reset_BT, aligned=True, mutable=['telemetry'])
    layers = telemetry.by_layer(sown.get('telemetry', {}))
    return {name: values_LBTH[:, 0].mean(-1) for name, values_LBTH in layers.items()}

  told = read(params)
  if 'surprise_before' not in told:
    return None
  return dict(tokens=tokens_T.tolist(), pieces=source.pieces(tokens_T)) | {
      name: np.asarray(values_LT)[:, :len(tokens_T)].tolist() for name, values_LT in told.items()}
