"""Small things done to arrays and trees of arrays everywhere.

B batch (rows), T tokens.
"""

import jax
import jax.numpy as jnp
import numpy as np


def pick(choose_B: jax.Array, new, old):
  """Leaf by leaf, `new` in the rows that `choose_B` (bool) names, `old` in the others."""
  def leaf(a, b):
    return jnp.where(choose_B.reshape(choose_B.shape + (1,) * (b.ndim - choose_B.ndim)), a, b)
  return jax.tree.map(leaf, new, old)


@jax.custom_jvp
def pick_few(choose_B: jax.Array, new, old):
  """`pick` among floats, where few rows are chosen: a CPU touches no others, which matters where rows are large."""
  def rows(choose_B, new, old):
    order_B = jnp.argsort(~choose_B, stable=True)

    def one(i, old):
      write = lambda a, b: jax.lax.dynamic_update_index_in_dim(b, a[order_B[i]], order_B[i], 0)
      return jax.tree.map(write, new, old)
    return jax.lax.fori_loop(0, jnp.sum(choose_B), one, old)

  return jax.lax.platform_dependent(choose_B, new, old, cpu=rows, default=pick)


@pick_few.defjvp
def _(primals, tangents):
  return pick_few(*primals), pick(primals[0], *tangents[1:])


def at(place_BN: jax.Array, tree):
  """Leaf by leaf, [B, N, ...] of [B, T, ...]: what stands at these places of each row."""
  def leaf(a):
    return jnp.take_along_axis(a, place_BN.reshape(place_BN.shape + (1,) * (a.ndim - 2)), axis=1)
  return jax.tree.map(leaf, tree)


def bytes_of(tree) -> int:
  """Bytes that the arrays (or shapes) of a tree take."""
  return sum(int(np.prod(a.shape)) * np.dtype(a.dtype).itemsize for a in jax.tree.leaves(tree))


def count_of(tree) -> int:
  """Numbers in the arrays (or shapes) of a tree."""
  return sum(int(np.prod(a.shape)) for a in jax.tree.leaves(tree))


def name_of(path) -> str:
  """A tree path as its names joined with '/'."""
  return jax.tree_util.keystr(path, simple=True, separator='/')


def named(tree) -> dict:
  """A tree's leaves by their names, in the tree's order."""
  return {name_of(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def real_first(mask_BT: jax.Array) -> jax.Array:
  """Order_BT that brings a row's real tokens (mask True) to its front and keeps their order."""
  return jnp.argsort(~mask_BT, axis=1, stable=True)


def last(x_BTN: jax.Array, mask_BT=None) -> jax.Array:
  """What stands at each row's last real token (mask True; None: all are), [B, N]; a row without one has its last."""
  if mask_BT is None:
    return x_BTN[:, -1]
  place_B = mask_BT.shape[1] - 1 - jnp.argmax(mask_BT[:, ::-1], axis=1)
  return at(place_B[:, None], x_BTN)[:, 0]
