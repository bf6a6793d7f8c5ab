"""Whether arrays are the same ones: a hash of names, dtypes, shapes and numbers."""

import hashlib
import json

import numpy as np

from latentmem import model
from latentmem.base import arrays


def of_model(fields: dict, params) -> str:
  """The fingerprint of a model: of its parameters, and of the fields that say what they mean."""
  what = {name: value for name, value in fields.items() if name not in model.HOW}
  return fingerprint(params, fields=json.dumps(what, sort_keys=True))


def fingerprint(tree, **said) -> str:
  """sha256 of a tree of arrays and of what is said beside it, in hexadecimal; the same on every machine."""
  digest = hashlib.sha256(repr(sorted(said.items())).encode())
  for name, leaf in sorted(arrays.named(tree).items()):
    leaf = np.asarray(leaf)
    leaf = np.ascontiguousarray(leaf.astype(leaf.dtype.newbyteorder('<'), copy=False))
    digest.update(f'{name} {leaf.dtype.name} {leaf.shape}\n'.encode())
    digest.update(leaf.reshape(-1).view(np.uint8))
  return digest.hexdigest()
