"""Floating-point operations of a program, counted from its jaxpr.

Matrix products and convolutions only, 2 operations a multiply-add; a scan's body counts as often as it runs
(XLA's own cost analysis counts it once). A loop whose length is not known counts once, a branch as its dearest arm.
"""

import math

import jax


def count(f, *args, **kwargs) -> int:
  """Operations of one call of `f`. Arguments may be shapes (`jax.ShapeDtypeStruct`)."""
  jaxpr = jax.make_jaxpr(f)(*args, **kwargs)
  return of(jaxpr)


def of(jaxpr) -> int:
  """Operations of a jaxpr."""
  return sum(_equation(e) for e in getattr(jaxpr, 'jaxpr', jaxpr).eqns)


def _equation(e) -> int:
  name = e.primitive.name
  if name == 'dot_general':
    (contracted, _), _ = e.params['dimension_numbers']
    left = e.invars[0].aval.shape
    return 2 * math.prod(e.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
  if name == 'conv_general_dilated':
    out, kernel = e.outvars[0].aval.shape, e.invars[1].aval.shape
    return 2 * math.prod(out) * math.prod(kernel) // kernel[e.params['dimension_numbers'].rhs_spec[0]]
  inner = [of(j) for j in _inner(e.params)]
  if name == 'cond':
    return max(inner, default=0)
  if name == 'pallas_call':
    cost = e.params.get('cost_estimate')
    return int(cost.flops) if cost else 0
  times = {'scan': lambda: e.params['length'], 'shard_map': lambda: e.params['mesh'].size}.get(name, lambda: 1)()
  return times * sum(inner)


def _inner(params):
  for value in params.values():
    for each in value if isinstance(value, (tuple, list)) else (value,):
      if hasattr(each, 'eqns'):
        yield each
      elif hasattr(getattr(each, 'jaxpr', None), 'eqns'):
        yield each.jaxpr
