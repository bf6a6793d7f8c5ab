"""What a model makes of held-out documents, read with its carry from batch to batch.

B rows, T tokens.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.train import placement
from latentmem.train.state import fresh_carry


def make_reader(model, place: placement.Placement, params, rows: int):
  """Two jitted functions: start(params) -> carry; read(params, carry, batch) -> carry, nats_BT, predicted_BT."""
  carry = place.of_carry(model, params, rows)
  start = jax.jit(lambda params: fresh_carry(model, params, rows), out_shardings=carry)

  def read(params, carry, batch):
    with place.context():
      return score(model, params, carry, batch)
  return start, jax.jit(read, donate_argnums=1, out_shardings=(carry, place.tokens, place.tokens))


def score(model, params, carry, batch):
  """-log p(target) and the likeliest token at every place -> carry, nats_BT, predicted_BT."""
  carry, logits_BTV = model.apply(params, carry, batch['tokens_BT'], batch['reset_BT'], aligned=True)
  logits_BTV = logits_BTV.astype(jnp.float32)
  target_BT1 = jnp.where(batch['weights_BT'] > 0, batch['targets_BT'], 0)[..., None]
  nats_BT = jax.nn.logsumexp(logits_BTV, axis=-1) - jnp.take_along_axis(logits_BTV, target_BT1, axis=-1)[..., 0]
  return carry, nats_BT, jnp.argmax(logits_BTV, axis=-1)


def heldout(model, params, source, place: placement.Placement, rows: int, length: int, batches: int = 0,
            progress: Callable = iter) -> dict:
  """Scores of `params` on what `source` holds out, by the source's own scorer.

  Args:
    rows: B, over all processes.
    length: T of a batch.
    batches: Most that are read; 0 for all.
    progress: Wraps the list of batches, to show how far it has come.
  """
  place.check(rows, length)
  start, read = make_reader(model, place, params, rows)
  held = source.heldout(rows, length, model.align, *place.share())
  scorer, carry, waiting = source.scorer(), start(params), None
  for _, batch in zip(range(batches or len(held)), progress(held)):
    carry, *scores = read(params, carry, place.batch(batch))
    # One batch late, so that the device does not wait for the scorer.
    if waiting:
      scorer.add(waiting[0], *map(place.local, waiting[1]))
    waiting = batch, scores
  if waiting:
    scorer.add(waiting[0], *map(place.local, waiting[1]))
  return merged(scorer, source, place).result()


def merged(scorer, source, place: placement.Placement):
  """The scorer of all processes."""
  if jax.process_count() == 1:
    return scorer
  from jax.experimental import multihost_utils
  mine = {k: np.asarray(v, np.float64) * place.speaks() for k, v in scorer.totals().items()}
  totals = multihost_utils.process_allgather(mine)
  return source.scorer().merge({k: v.sum(0) for k, v in totals.items()})
