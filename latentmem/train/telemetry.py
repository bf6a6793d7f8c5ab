"""What memories say about themselves while they read: the mean over tokens of what they sow, by layer and head.

B rows, T tokens, H heads, L layers.
"""

import re

import jax
import jax.numpy as jnp

from latentmem.train import optim

# What a memory calls its step is the training step's name in a record.
NAMES = dict(step='step_size')


def watch(model, params, carry, batch) -> dict:
  """An extra forward pass -> {name: mean_LH}, and `nonfinite`, the share of sown numbers that are not finite."""
  _, sown = model.apply(params, carry, batch['tokens_BT'], batch['reset_BT'], aligned=True, mutable=['telemetry'])
  return summary(sown.get('telemetry', {}))


def summary(sown) -> dict:
  """Means of what was sown. Layers are an array's first axis where they were scanned, else the order of its paths."""
  arrays, bad, size = {}, 0, 0
  for path, value in jax.tree_util.tree_flatten_with_path(sown)[0]:
    name = NAMES.get(*[re.sub(r'_[A-Z]+$', '', optim.name_of(path[-1:]))] * 2)
    bad, size = bad + jnp.sum(~jnp.isfinite(value)), size + value.size
    arrays.setdefault(name, []).append(value if value.ndim == 4 else value[None])
  # [L, B, T, H]
  means = {name: jnp.concatenate(values).mean(axis=(1, 2)) for name, values in arrays.items()}
  return means | dict(nonfinite=bad / size) if size else means
