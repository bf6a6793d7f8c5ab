"""Which layer went non-finite first: a program run operation by operation, with a look at every result.

Called once a run has stopped. Flax names the module that each operation belongs to, so the first operation that turns
finite numbers into NaN or infinity names its layer; loops over layers, chunks and tokens are run pass by pass.
"""

import dataclasses
import re

import jax
from jax.extend import core
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Place:
  """Where something first was non-finite.

  Attributes:
    module: Path of the module with the pass of each loop, as in 'Decoder/blocks[1]/memory[3]'.
    operation: The primitive.
    backward: Whether it was in the gradient, the loss having been finite.
  """

  module: str
  operation: str
  backward: bool

  def __str__(self) -> str:
    return f"{self.module or 'the loss'}, in the {'gradient' if self.backward else 'forward pass'} ({self.operation})"


class _Found(Exception):
  """Carries the place out of nested loops."""

  def __init__(self, above: tuple[str, ...], equation):
    path = (*above, str(equation.source_info.name_stack))
    super().__init__(path)
    self.place = Place(module_of(path), equation.primitive.name, False)


def first_nonfinite(loss, *args) -> Place | None:
  """Where `loss(*args)`, or else its gradient by the first argument, first makes NaN or +infinity of finite numbers.

  None where neither does. Minus infinity is how masks are written, and does not count.
  """
  for f, backward in ((loss, False), (jax.grad(loss), True)):
    try:
      _run(jax.make_jaxpr(f)(*args), jax.tree.leaves(args), ())
    except _Found as found:
      return dataclasses.replace(found.place, backward=backward)
  return None


def is_sick(values) -> bool:
  """Whether anything in these arrays is NaN or +infinity."""
  return any(bool((jnp.isnan(v) | (v == jnp.inf)).any()) for v in values
             if jnp.issubdtype(getattr(v, 'dtype', jnp.int32), jnp.inexact))


def module_of(path: tuple[str, ...]) -> str:
  """Name stacks of nested programs, and '[i]' for passes of loops, to one module path.

  A pass stands at the first module inside of its loop: ('jvp(Decoder)', '[1]', 'blocks/memory') is
  'Decoder/blocks[1]/memory'; a loop without modules inside at the one around it.
  """
  names, waiting = [], ''
  for each in path:
    if each.startswith('['):
      names[-1:] = [names[-1] + waiting] if names else []
      waiting = each
      continue
    plain = re.sub(r'\b(transpose|jvp|vmap|rematted_computation|checkpoint|remat)\b|[()]', '', each)
    for name in filter(None, plain.split('/')):
      names.append(name + waiting)
      waiting = ''
  names[-1:] = [names[-1] + waiting] if names else [waiting]
  return '/'.join(names)


def _run(closed, args, above):
  """Runs a program, and raises _Found at the first operation whose results are sick though its inputs are not."""
  jaxpr, consts = getattr(closed, 'jaxpr', closed), getattr(closed, 'consts', ())
  env = dict(zip(jaxpr.constvars, consts)) | dict(zip(jaxpr.invars, args))
  read = lambda atom: atom.val if isinstance(atom, core.Literal) else env[atom]
  for equation in jaxpr.eqns:
    inputs = [read(v) for v in equation.invars]
    outputs = _apply(equation, inputs)
    if is_sick(outputs) and not is_sick(inputs):
      _descend(equation, inputs, above)
      raise _Found(above, equation)
    env.update(zip(equation.outvars, outputs))
  return [read(v) for v in jaxpr.outvars]


def _apply(equation, inputs):
  inner = _called(equation)
  if inner is not None:
    closed = inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())
    return jax.jit(core.jaxpr_as_fun(closed))(*inputs)
  outputs = equation.primitive.bind(*inputs, **equation.params)
  return outputs if equation.primitive.multiple_results else [outputs]


def _called(equation):
  """The program that an operation calls once with its own inputs (jit, remat, custom gradients); None for others."""
  if equation.primitive.name in ('scan', 'while', 'cond', 'shard_map', 'pallas_call', 'scatter-add', 'reduce'):
    return None
  for name in ('call_jaxpr', 'jaxpr', 'fun_jaxpr'):
    inner = equation.params.get(name)
    if inner is not None and len(getattr(inner, 'jaxpr', inner).invars) == len(equation.invars):
      return inner
  return None


def _descend(equation, inputs, above):
  """Looks inside an operation that made something sick; returns where it has no inside."""
  above = (*above, str(equation.source_info.name_stack))
  inner = _called(equation)
  if inner is not None:
    _run(inner, inputs, above)
  elif equation.primitive.name == 'cond':
    _run(equation.params['branches'][int(inputs[0])], inputs[1:], above)
  elif equation.primitive.name == 'scan':
    _run_scan(equation.params, inputs, above)


def _run_scan(params, inputs, above):
  constants, carried = _counts(params)
  consts, carry, xs = inputs[:constants], inputs[constants:constants + carried], inputs[constants + carried:]
  passes = range(params['length'])
  for index in reversed(passes) if params['reverse'] else passes:
    out = _run(params['jaxpr'], [*consts, *carry, *(x[index] for x in xs)], (*above, f'[{index}]'))
    carry = out[:carried]


def _counts(params) -> tuple[int, int]:
  """Of a scan's constants and of what it carries; from jax 0.11 on their trees are told in the place of numbers."""
  if 'num_consts' in params:
    return params['num_consts'], params['num_carry']
  constants, carried, _ = params['ft_in'].unpack()
  return len(list(constants.vals)), len(list(carried.vals))
