"""What training begins with: a run's last parameters, or those of a Qwen3 as Hugging Face lays it out."""

import jax
import numpy as np

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.model.qwen3 import Qwen3
from latentmem.train import checkpoint
from latentmem.train.program import Program

# What a model computes, beside the width of its heads; and how, which a config may choose.
FIXED = ('vocab', 'width', 'layers', 'heads', 'kv_heads', 'hidden', 'rope_base', 'eps', 'tie')
FREE = ('context', 'dtype', 'param_dtype', 'remat', 'scan')


def started(path: str, program: Program):
  """Parameters as the program has them; None for no path. Raises InputError where they do not fit."""
  if not path:
    return None
  if qwen3_weights.stands_in(path):
    return _of_folder(path, program)
  wanted = program.shapes.params
  params = checkpoint.load_params(path, want=wanted)[1]
  # On no device yet: they may be wanted on others, or by several processes.
  return jax.tree.map(lambda want, p: np.asarray(p, want.dtype), wanted, params)


def _of_folder(path, program):
  """Read straight into their places."""
  mine = program.model
  if not isinstance(mine, Qwen3):
    raise InputError(f'{path} holds a Qwen3, which another model cannot begin with; config.model.kind=qwen3 can.')
  chosen = {name: getattr(mine, name) for name in FREE}
  described = model.make(**qwen3_weights.fields_of(path, **chosen))
  named = lambda it: dict(head_width=it.head_shape[2], **{name: getattr(it, name) for name in FIXED})
  found, wanted = named(described), named(mine)
  wrong = [f'{name} is {found[name]} there, {wanted[name]} in the config' for name in found
           if found[name] != wanted[name]]
  if wrong:
    raise InputError(f'{path} holds another Qwen3: {"; ".join(wrong)}.')
  return qwen3_weights.load(path, program.place.mesh, **chosen)[1]
