"""Which device holds what: rules from the path of an array to axes of a mesh.

A layout is a list of (pattern, axes), the first pattern that a path ends with decides:

  [('attention/qkv', ('fsdp', None, 'tensor', None)), ('norm/scale', (None,))]

`axes` speak of the array's last axes, so that a stack of layers follows the rule of one. One layout names parameters
and what a model carries. A mesh has four axes. Rows are shared out over 'data' and 'fsdp'; parameters and what the
optimizer holds of them lie in pieces over 'fsdp', and are the same everywhere along 'data'; heads, hidden numbers and
the vocabulary are shared out over 'tensor', the tokens of a row over 'sequence'.
"""

from collections.abc import Sequence
import math
import re

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from latentmem.base import arrays
from latentmem.base.errors import InputError

AXES = ('data', 'fsdp', 'tensor', 'sequence')
ROWS, SEQUENCE = ('data', 'fsdp'), 'sequence'
Layout = Sequence[tuple[str, tuple]]


def make_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1, sequence: int = 1, devices=None) -> Mesh:
  """A mesh of data x fsdp x tensor x sequence devices. Raises InputError where there are not that many."""
  devices, sizes = jax.devices() if devices is None else devices, (data, fsdp, tensor, sequence)
  if min(sizes) < 1 or math.prod(sizes) > len(devices):
    asked = ' x '.join(f'{name}={size}' for name, size in zip(AXES, sizes))
    raise InputError(f'a mesh of {asked} needs {math.prod(sizes)} devices; there are {len(devices)}.')
  automatic = (jax.sharding.AxisType.Auto,) * len(AXES)
  return jax.make_mesh(sizes, AXES, axis_types=automatic, devices=devices[:math.prod(sizes)])


def sharing(mesh: Mesh) -> int:
  """Devices, or groups of them, that rows are shared out over."""
  return math.prod(mesh.shape[name] for name in ROWS)


def specs(tree, layout: Layout):
  """A PartitionSpec for each parameter of a tree of arrays or shapes.

  Raises InputError for a parameter that no pattern names, or that has fewer axes than its rule.
  """
  def spec(path, leaf):
    found = _rule(arrays.name_of(path), leaf, layout)
    if found is None:
      raise InputError(f'no rule of the layout names the parameter {arrays.name_of(path)}; there are '
                       f'{[pattern for pattern, _ in layout]}.')
    return found
  return jax.tree_util.tree_map_with_path(spec, tree)


def shardings(tree, layout: Layout, mesh: Mesh):
  """`specs` on a mesh. An axis that the mesh's axis does not divide stays whole: 3 heads do not go to 2 devices."""
  return jax.tree.map(lambda leaf, spec: _on_mesh(mesh, spec, leaf), tree, specs(tree, layout))


def carried(tree, layout: Layout, mesh: Mesh, rows):
  """Shardings of what a model carries; `rows` is a tree with the axis of rows in each array, -1 for none.

  What no pattern names is shared out by its rows alone.
  """
  def on_mesh(path, leaf, axis):
    axes = list(_rule(arrays.name_of(path), leaf, layout) or (None,) * len(leaf.shape))
    if axis >= 0:
      axes[axis] = ROWS
    return _on_mesh(mesh, axes, leaf)
  return jax.tree_util.tree_map_with_path(on_mesh, tree, rows)


def laid(x: jax.Array, *axes) -> jax.Array:
  """`x` with its first axes on these of the mesh that it is traced in, where they divide, and whole along the rest."""
  mesh = jax.sharding.get_abstract_mesh()
  if not {*AXES} <= {*mesh.axis_names} or any(kind != AxisType.Auto for kind in mesh.axis_types):
    return x
  return jax.lax.with_sharding_constraint(x, PartitionSpec(*(
      axis if _divides(mesh, axis, size) else None for axis, size in zip(axes, x.shape))))


def rows(tree, mesh: Mesh, axis: int = 0):
  """Shardings that share out rows, found at `axis` of every array; where they do not divide, all stay."""
  def on_mesh(leaf):
    return _on_mesh(mesh, [None] * axis + [ROWS] if len(leaf.shape) > axis else [], leaf)
  return jax.tree.map(on_mesh, tree)


def _rule(name, leaf, layout):
  """What the first rule that names a path says of an array's axes, None where none does."""
  for pattern, axes in layout:
    if re.search(f'(^|/)({pattern})$', name):
      if len(axes) > len(leaf.shape):
        raise InputError(f'{name} has {len(leaf.shape)} axes, and the rule {pattern!r} speaks of {len(axes)}.')
      return PartitionSpec(*(None,) * (len(leaf.shape) - len(axes)), *axes)
  return None


def _on_mesh(mesh, spec, leaf):
  return NamedSharding(mesh, PartitionSpec(*(
      axis if _divides(mesh, axis, size) else None for axis, size in zip(spec, leaf.shape))))


def _divides(mesh, axis, size):
  names = () if axis is None else axis if isinstance(axis, tuple) else (axis,)
  return size % math.prod(mesh.shape[name] for name in names) == 0
