"""What training makes small: nats per scored token.

B batch, T tokens, V vocabulary.
"""

import jax
import jax.numpy as jnp


def next_token(logits_BTV: jax.Array, targets_BT: jax.Array, weights_BT: jax.Array, z_loss: float = 0.0) -> jax.Array:
  """Sum over tokens of weight times -log p(target), in nats.

  `z_loss` adds that much times the square of the logits' log-partition, which keeps it near zero
  (Chowdhery et al. 2022, PaLM, section 5). Tokens of weight 0 are not scored and their targets not read.
  """
  logits_BTV = logits_BTV.astype(jnp.promote_types(logits_BTV.dtype, jnp.float32))
  partition_BT = jax.nn.logsumexp(logits_BTV, axis=-1)
  scored_BT = weights_BT > 0
  target_BT = jnp.where(scored_BT, targets_BT, 0)
  chosen_BT = jnp.take_along_axis(logits_BTV, target_BT[..., None], axis=-1)[..., 0]
  cost_BT = partition_BT - chosen_BT + z_loss * jnp.square(partition_BT)
  return jnp.sum(jnp.where(scored_BT, cost_BT * weights_BT, 0))


def total_weight(weights_BT: jax.Array) -> jax.Array:
  """What a sum of costs is divided by; 1 where nothing is scored, so that nothing becomes 0 / 0."""
  total = jnp.sum(weights_BT)
  return jnp.where(total > 0, total, 1)


def sown(costs) -> jax.Array:
  """The sum of what the layers of a model sowed into 'costs'."""
  return sum((jnp.sum(cost) for cost in jax.tree.leaves(costs)), jnp.zeros(()))
