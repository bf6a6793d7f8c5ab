"""What memories say about themselves while they read: the mean over tokens of what they sow, by layer and head.

B rows, T tokens, H heads, L layers.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays


def watch(model, params, carry, batch) -> dict:
  """An extra forward pass -> {name: mean_LH}, and `nonfinite`, the share of sown numbers that are not finite."""
  _, sown = model.apply(params, carry, batch['tokens_BT'], batch['reset_BT'], aligned=True, mutable=['telemetry'])
  values = jax.tree.leaves(sown.get('telemetry', {}))
  if not values:
    return {}
  bad = sum(jnp.sum(~jnp.isfinite(value)) for value in values)
  means = by_layer(sown['telemetry'], lambda value_LBTH: value_LBTH.mean(axis=(1, 2)))
  return means | dict(nonfinite=bad / sum(value.size for value in values))


def by_layer(sown, tell=lambda value_LBTH: value_LBTH) -> dict:
  """{name: what `tell` makes of values_LBTH} of what was sown, layers along the first axis.

  Layers that were scanned are one value, others follow in the order of paths; several models in one may read different
  numbers of tokens, of which `tell` is to make the same shape.
  """
  layers = {}
  for path, value in jax.tree_util.tree_flatten_with_path(sown)[0]:
    layers.setdefault(arrays.name_of(path[-1:]), []).append(tell(value if value.ndim == 4 else value[None]))
  return {name: jnp.concatenate(values) for name, values in layers.items()}
