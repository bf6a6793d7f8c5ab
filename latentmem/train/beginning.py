"""What training begins with: new parameters, a run's last ones, or those of a Qwen3 as Hugging Face lays it out."""

from collections.abc import Callable

import jax
import numpy as np

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.model.qwen3 import Qwen3
from latentmem.train import checkpoint
from latentmem.train.program import Program
from latentmem.train.state import TrainState

# What a config may choose of a Qwen3 that a folder holds.
FREE = (*model.HOW, 'param_dtype')


def begun(program: Program, start: str, seed: int, prepare: Callable[[dict], dict] | None = None) -> TrainState:
  """The state before the first step.

  Args:
    program: What is trained.
    start: Folder of a run, or of a Hugging Face model, whose parameters it has; '' for new ones.
    seed: Of new parameters, and of randomness in training.
    prepare: Makes of new parameters those to begin with; asked of no others.

  Raises InputError where the folder is not there, is damaged, or holds another model.
  """
  params = _learned(start, program) if start else None
  if prepare and params is None:
    params = prepare(program.create(seed).params)
  # Parameters of a folder are held twice until this returns.
  return program.create(seed, params)


def _learned(start, program):
  """A folder's parameters, with the names, shapes and dtypes of the program's: on the host, or each in its place."""
  if qwen3_weights.stands_in(start):
    return _of_folder(start, program)
  wanted = program.shapes.params
  params = checkpoint.load_params(start, want=wanted)[1]
  # On no device yet: they may be wanted on others, or by several processes.
  return jax.tree.map(lambda want, p: np.asarray(p, want.dtype), wanted, params)


def _of_folder(path, program):
  """What a Hugging Face folder holds, in its places. Raises InputError where that is not the model of the program."""
  found, mine = qwen3_weights.fields_of(path), program.model
  if not isinstance(mine, Qwen3):
    raise InputError(f'{path} holds a Qwen3, which another model cannot begin with; config.model.kind=qwen3 can.')
  names = sorted(found.keys() - {'kind', 'head_width', *FREE})
  what = lambda it: dict(head_width=it.head_shape[2], **{name: getattr(it, name) for name in names})
  theirs, ours = what(model.make(**found)), what(mine)
  wrong = [f'{name} is {theirs[name]} there, {ours[name]} in the config' for name in theirs
           if theirs[name] != ours[name]]
  if wrong:
    raise InputError(f'{path} holds another Qwen3: {"; ".join(wrong)}.')
  return qwen3_weights.load(path, program.place.mesh, **{name: getattr(mine, name) for name in FREE})[1]
