"""Which device holds what: rules from a parameter's path to axes of a mesh.

A layout is a list of (pattern, axes), the first pattern that a path ends with decides:

  [('attention/qkv', ('data', None, 'model', None)), ('norm/scale', (None,))]

`axes` speak of the parameter's last axes, so that a stack of layers follows the rule of one. A mesh has two axes:
'data', over which rows are shared out, and 'model', over which heads, hidden numbers and the vocabulary are.
"""

from collections.abc import Sequence
import math
import re

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from latentmem.base import arrays
from latentmem.base.errors import InputError

AXES = ('data', 'model')
Layout = Sequence[tuple[str, tuple]]


def make_mesh(data: int = 1, model: int = 1, devices=None) -> Mesh:
  """A mesh of data x model devices. Raises InputError where there are not that many."""
  devices = jax.devices() if devices is None else devices
  if data < 1 or model < 1 or data * model > len(devices):
    raise InputError(f'a mesh of data={data} x model={model} needs {data * model} devices; there are {len(devices)}.')
  automatic = (jax.sharding.AxisType.Auto,) * 2
  return jax.make_mesh((data, model), AXES, axis_types=automatic, devices=devices[:data * model])


def specs(tree, layout: Layout):
  """A PartitionSpec for each parameter of a tree of arrays or shapes.

  Raises InputError for a parameter that no pattern names, or that has fewer axes than its rule.
  """
  def spec(path, leaf):
    name = arrays.name_of(path)
    for pattern, axes in layout:
      if re.search(f'(^|/)({pattern})$', name):
        if len(axes) > len(leaf.shape):
          raise InputError(f'{name} has {len(leaf.shape)} axes, and the rule {pattern!r} speaks of {len(axes)}.')
        return PartitionSpec(*(None,) * (len(leaf.shape) - len(axes)), *axes)
    raise InputError(f'no rule of the layout names the parameter {name}; there are {[p for p, _ in layout]}.')
  return jax.tree_util.tree_map_with_path(spec, tree)


def shardings(tree, layout: Layout, mesh: Mesh):
  """`specs` on a mesh. An axis that the mesh's axis does not divide stays whole: 3 heads do not go to 2 devices."""
  def on_mesh(leaf, spec):
    fits = [axis if _divides(mesh, axis, size) else None for axis, size in zip(spec, leaf.shape)]
    return NamedSharding(mesh, PartitionSpec(*fits))
  return jax.tree.map(on_mesh, tree, specs(tree, layout))


def rows(tree, mesh: Mesh, axis: int = 0):
  """Shardings that share out rows, found at `axis` of every array, over 'data'; where they do not divide, all stay."""
  def on_mesh(leaf):
    fits = len(leaf.shape) > axis and _divides(mesh, 'data', leaf.shape[axis])
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, 'data') if fits else PartitionSpec())
  return jax.tree.map(on_mesh, tree)


def _divides(mesh, axis, size):
  names = () if axis is None else axis if isinstance(axis, tuple) else (axis,)
  return size % math.prod(mesh.shape[name] for name in names) == 0
