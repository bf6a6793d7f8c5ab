"""A sequence that lies on several devices, piece after piece, read where it lies by a recurrence, exactly.

  handed_over   any recurrence: each device reads its piece from the cell that its neighbour's piece ended with. Rows
                follow each other through the devices, so that all but the first and the last few steps keep all busy.
  folded        one whose cell after a piece is an affine function of the cell before: every device sums up its piece,
                each takes the sums of those before it, and all read at once. Costs a second, smaller, pass.

A recurrence is `many(params, cell, drive_BT, fresh, reset_BT) -> cell, y_BT`, as memories have it; it may close over no
array. Where no mesh is set, and on meshes without the axis 'sequence', there are no pieces.
B batch (rows), T tokens, N devices along the sequence, M parts that rows follow each other in.
"""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from latentmem.base import arrays
from latentmem.base.sharding import ROWS, SEQUENCE


def count() -> int:
  """N here; 1 where a sequence is whole, or this already is the work of one device."""
  mesh = jax.sharding.get_abstract_mesh()
  kinds = dict(zip(mesh.axis_names, mesh.axis_types))
  return mesh.shape[SEQUENCE] if kinds.get(SEQUENCE) == AxisType.Auto else 1


def handed_over(many: Callable, params, cell, drive_BT, fresh, reset_BT):
  """`many` over all pieces -> cell, y_BT. Each piece is whole chunks, and all rows begin at a chunk's start."""
  shape, rows = jax.sharding.get_abstract_mesh().shape, reset_BT.shape[0]
  over = tuple(name for name in ROWS if name in shape)
  over = over if rows % math.prod(shape[name] for name in over) == 0 else ()
  by_rows, by_tokens = PartitionSpec(over), PartitionSpec(over, SEQUENCE)

  def read(params, cell, drive, fresh, reset):
    devices, here, rows = shape[SEQUENCE], jax.lax.axis_index(SEQUENCE), reset.shape[0]
    parts = max(m for m in range(1, min(rows, 4 * devices) + 1) if rows % m == 0)
    part = lambda tree, m: jax.tree.map(
        lambda a: jax.lax.dynamic_slice_in_dim(a, m * (rows // parts), rows // parts), tree)
    to_the_right = [(k, k + 1) for k in range(devices - 1)]

    def tick(handed, t):
      m = jnp.clip(t - here, 0, parts - 1)
      # A device whose turn has not come reads from its own rows' cells, which are sound, and nobody uses it.
      begun_B = jnp.broadcast_to((here > 0) & (t >= here), (rows // parts,))
      start = arrays.pick(begun_B, handed, part(cell, m))
      end, y = many(params, start, *(part(tree, m) for tree in (drive, fresh, reset)))
      return jax.tree.map(lambda a: jax.lax.ppermute(a, SEQUENCE, to_the_right), end), (end, y)

    _, each = jax.lax.scan(tick, part(cell, 0), jnp.arange(devices + parts - 1))
    end, y = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, here, parts).reshape(rows, *a.shape[2:]), each)
    return _of_last(end), y

  return _apart(read, by_rows, by_tokens, {*over, SEQUENCE})(params, cell, drive_BT, fresh, reset_BT)


def folded(many: Callable, transit: Callable, passed: Callable, params, cell, drive_BT, fresh, reset_BT):
  """`many` over all pieces -> cell, y_BT, where `transit(params, drive_BT, fresh, reset_BT)` is what a piece does to
  a cell, and `passed(transit, cell)` the cell after it."""
  def read(params, cell, drive, fresh, reset):
    sums_N = jax.tree.map(lambda a: jax.lax.all_gather(a, SEQUENCE), transit(params, drive, fresh, reset))
    here = jax.lax.axis_index(SEQUENCE)

    def pass_on(cell, piece):
      k, sums = piece
      return arrays.pick(jnp.broadcast_to(k < here, reset.shape[:1]), passed(sums, cell), cell), None
    start, _ = jax.lax.scan(pass_on, cell, (jnp.arange(jax.lax.axis_size(SEQUENCE)), sums_N))
    end, y = many(params, start, drive, fresh, reset)
    return _of_last(end), y

  whole, by_tokens = PartitionSpec(), PartitionSpec(None, SEQUENCE)
  return _apart(read, whole, by_tokens, {SEQUENCE})(params, cell, drive_BT, fresh, reset_BT)


def _apart(read, cells, tokens, axes):
  """`read` on every device by itself. What varies between them is not checked: recurrences begin scans with zeros."""
  given = PartitionSpec(), cells, tokens, cells, tokens
  return jax.shard_map(read, in_specs=given, out_specs=(cells, tokens), axis_names=axes, check_vma=False)


def _of_last(tree):
  """What the last device along the sequence has, on all of them."""
  last = jax.lax.axis_index(SEQUENCE) == jax.lax.axis_size(SEQUENCE) - 1
  return jax.tree.map(lambda a: jax.lax.psum(jnp.where(last, a, jnp.zeros_like(a)), SEQUENCE), tree)
