"""How the states of many rows lie, so that a step moves little of them.

A model's carry has its layers along the first axis of each array. A program that takes a layer out, changes it and puts
it back copies all layers several times over. Where layers are compiled one by one (a model with `scan=False`), the
arrays lie in parts here, one for each layer; a compiler that sees them joined and taken apart again does neither, and
changes each where it lies.
"""

import jax
import jax.numpy as jnp


class Layout:
  """Of one model's carry, for any number of rows."""

  def __init__(self, model, params):
    shapes = lambda rows: jax.eval_shape(lambda params: model.apply(params, rows, method='init_state'), params)
    leaves, self._structure = jax.tree.flatten(shapes(1))
    axes = [_axis(a.shape, b.shape) for a, b in zip(leaves, jax.tree.leaves(shapes(2)), strict=True)]
    in_parts = not getattr(model, 'scan', True)
    # How many parts an array lies in, 0 where it is whole; and along which axis of them rows lie.
    self._layers = [leaf.shape[0] if in_parts and axis == 1 else 0 for leaf, axis in zip(leaves, axes)]
    self._along = [0 if layers else axis for layers, axis in zip(self._layers, axes)]

  def apart(self, carry) -> list:
    """A carry in parts."""
    return [tuple(leaf[i] for i in range(layers)) if layers else leaf
            for leaf, layers in zip(jax.tree.leaves(carry), self._layers, strict=True)]

  def whole(self, parts: list):
    """A carry of its parts."""
    return jax.tree.unflatten(self._structure, [jnp.stack(part) if layers else part
                                                for part, layers in zip(parts, self._layers, strict=True)])

  def put(self, parts: list, carry, row):
    """Parts with a carry of one row in the place of a row."""
    write = jax.lax.dynamic_update_slice_in_dim
    return [jax.tree.map(lambda a, new, axis=axis: write(a, new, row, axis), part, one)
            for part, one, axis in zip(parts, self.apart(carry), self._along, strict=True)]

  def take(self, parts: list, row):
    """The carry of a row."""
    read = jax.lax.dynamic_slice_in_dim
    return self.whole([jax.tree.map(lambda a, axis=axis: read(a, row, 1, axis), part)
                       for part, axis in zip(parts, self._along, strict=True)])


def _axis(one: tuple[int, ...], two: tuple[int, ...]) -> int:
  """Along which axis rows lie."""
  axes = [i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
  if len(axes) != 1:
    raise TypeError(f'An array of a carry has the shape {one} for one row and {two} for two; rows lie along one axis.')
  return axes[0]
