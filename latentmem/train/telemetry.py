"""What memories say about themselves while they read: the mean over tokens of what they sow, by layer and head.

B rows, T tokens, H heads, L layers.
"""

import jax
import jax.numpy as jnp

from latentmem.base import arrays


def watch(model, params, carry, batch) -> dict:
  """An extra forward pass -> {name: mean_LH}, and `nonfinite`, the share of sown numbers that are not finite."""
  _, sown = model.apply(params, carry, batch['tokens_BT'], batch['reset_BT'], aligned=True, mutable=['telemetry'])
  layers = by_layer(sown.get('telemetry', {}))
  means = {name: values_LBTH.mean(axis=(1, 2)) for name, values_LBTH in layers.items()}
  if not means:
    return {}
  bad = sum(jnp.sum(~jnp.isfinite(values)) for values in layers.values())
  return means | dict(nonfinite=bad / sum(values.size for values in layers.values()))


def by_layer(sown) -> dict:
  """{name: values_LBTH} of what was sown: layers that were scanned are its first axis, others the order of paths."""
  layers = {}
  for path, value in jax.tree_util.tree_flatten_with_path(sown)[0]:
    layers.setdefault(arrays.name_of(path[-1:]), []).append(value if value.ndim == 4 else value[None])
  return {name: jnp.concatenate(values) for name, values in layers.items()}
