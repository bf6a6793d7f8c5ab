"""How close two trees of arrays are."""

import jax
import numpy as np


def assert_close(got, want, within=1e-10):
  """Leaf by leaf, the error's size against the wanted array's size.

  In float64 two ways of summing the same few hundred numbers differ by 1e-13 or so; 1e-10 leaves room for
  ill-conditioned gradients and none for a wrong term. Elementwise tolerances fail correct code where a sum cancels.
  """
  def check(path, a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, f'{jax.tree_util.keystr(path)} has shape {a.shape}, not {b.shape}.'
    off = np.sqrt(np.mean((a - b) ** 2)) / (np.sqrt(np.mean(b**2)) + 1e-8) if b.size else 0.0
    assert off <= within, f'{jax.tree_util.keystr(path)} is off by {off:.1e} of its size (allowed {within:.0e}).'
  jax.tree_util.tree_map_with_path(check, got, want)


def assert_finite(tree):
  """No leaf holds a NaN or an infinity."""
  def check(path, a):
    bad = np.size(a) - np.sum(np.isfinite(np.asarray(a, np.float64)))
    assert not bad, f'{jax.tree_util.keystr(path)} has {bad} numbers that are not finite.'
  jax.tree_util.tree_map_with_path(check, tree)
