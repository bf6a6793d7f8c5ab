"""Memory-aware reasoning in a whole model: its memories think about some tokens, and none is emitted.

The tokens go through the layers as when they are read. On their way, where a layer's memory would read them, one that
has `think` (`slots`) thinks about them instead, and keeps what it wrote back; whatever else there is, windows of
attention and memories that cannot think, is asked what it has to say to them, and stays as it was. So the tokens
themselves are not read: they may come afterwards, and find the memory as it was left.
B rows, Q tokens that are thought about.
"""

import functools

from flax import linen as nn
import jax

from latentmem import memory
from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.memory import interface
from latentmem.model import blocks, compose

TRAJECTORY = 'trajectory'


def chunk(model) -> int:
  """The most tokens that the model's memories think about at once.

  Raises InputError where none of them can think, naming those that could.
  """
  found = [held for held in _memories(model) if hasattr(memory.find(held['kind']), 'think')]
  if not found:
    able = [kind for kind in memory.kinds() if hasattr(memory.find(kind), 'think')]
    joins = [kind for kind in compose.kinds() if compose.find(kind).takes_memory and compose.find(kind).can_think]
    kinds = [held['kind'] for held in _memories(model)] or ['none']
    raise InputError(f'A model with memory {" and ".join(kinds)} cannot think without emitting tokens; choose one of '
                     f'the memories {able}, in one of the compositions {joins}.')
  return min(held['chunk'] for held in found)


def think(model, params, carry, tokens_BQ, steps: int | None = None, write_back: bool = True):
  """Thinks about Q tokens.

  Args:
    tokens_BQ: At most `chunk(model)` of them.
    steps, write_back: As `slots` takes them.

  Returns:
    carry, and the trajectory of each memory that thought, by its name in the layer, with layers along the first axis.

  Raises InputError as `chunk` does, and as the memories' `think` does.
  """
  chunk(model)

  def instead(call, args, kwargs, context):
    it = context.module
    reads = context.method_name == '__call__' and isinstance(it, (interface.Base, blocks.Attention))
    if reads and hasattr(it, 'think'):
      state, x_BQD = args[:2]
      cell, y_BQD, told = it.think(state['cell'], x_BQD, steps, write_back)
      it.sow(TRAJECTORY, 'of', told, reduce_fn=lambda _, new: new, init_fn=lambda: None)
      return dict(state, cell=cell), y_BQD
    # Asked, and its state as it was.
    return (args[0], *call(*args, **kwargs)[1:]) if reads else call(*args, **kwargs)

  with nn.intercept_methods(instead):
    (carry, _), sown = model.apply(params, carry, tokens_BQ, mutable=[TRAJECTORY])
  found = {}
  for name, value in arrays.named(sown[TRAJECTORY]).items():
    where, _, what = name.partition('/of/')
    found.setdefault(where.removeprefix('block/mixer/'), {})[what] = value
  return carry, found


def replay(model, params, trajectories, start: int = 0, steps: int | None = None, write_back: bool = True):
  """What `think` found again from step `start` on, each memory and layer by itself.

  Change a record, a slot say, and see what would have become of it there; what other layers would have made of that is
  not followed. Arguments and what is raised as in the memories' `replay`.
  """
  fields = _memories(model)
  found = {}
  for name, told in trajectories.items():
    held = memory.make(**fields[name.count('/')], width=model.width, state_dtype=model.state_dtype)
    weights = functools.reduce(lambda tree, part: tree[part], name.split('/'), params['params']['block']['mixer'])
    again = lambda weights, told, held=held: held.apply(
        dict(params=weights), told, method='replay', start=start, steps=steps, write_back=write_back)
    found[name] = jax.vmap(again)(weights, told)
  return found


def _memories(model) -> list[dict]:
  """Kind and fields of the memories of a layer, if their compositions let them think."""
  held, mixer, found = getattr(model, 'memory', None), getattr(model, 'compose', None), []
  while held and mixer:
    if compose.find(mixer['kind']).can_think and compose.find(mixer['kind']).takes_memory:
      found.append(held)
    held, mixer = mixer.get('mixer_memory'), mixer.get('mixer')
  return found
