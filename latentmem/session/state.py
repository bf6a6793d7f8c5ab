"""What a live sequence leaves behind, and whose it is: the same whether it lies in a file, in a bank, or in memory.

A state is a plain tree: `carry` (the model's), `unread` [U] (tokens that wait to be read, int32) and `position` (tokens
given so far, those that wait included). It goes on only with the model that left it: with that one's fields, and with
its parameters to the last bit.
"""

from collections.abc import Mapping
import dataclasses
import hashlib
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.bank import store
from latentmem.base import arrays, records
from latentmem.base.errors import InputError

KIND = 'session'
# Tokens of a sequence have numbers below it.
PLACES = 2 ** 31


class Identity(NamedTuple):
  """Whose a state is.

  Attributes:
    fields: The model's kind and fields.
    shapes, values: Hashes of the parameters' shapes, and of all they hold.
    fingerprint: Of these three.
  """

  fields: dict[str, Any]
  shapes: str
  values: str
  fingerprint: str

  def notes(self) -> dict[str, str]:
    """What a state's file says of it."""
    return self._asdict() | dict(fields=json.dumps(self.fields, sort_keys=True), kind=KIND)

  def check(self, who, notes: dict[str, str]) -> None:
    """Raises InputError, calling the state `who`, unless its file says that it is of this model."""
    if notes.get('kind') != KIND:
      raise InputError(f'{who} holds a {notes.get("kind")!r}, not a {KIND!r}.')
    if notes.get('fingerprint') == self.fingerprint:
      return
    try:
      differing = list(records.differences(json.loads(notes['fields']), json.loads(json.dumps(self.fields))))
    except (KeyError, ValueError, RecursionError):
      differing = [('model', 'unknown', 'known')]
    if differing:
      shown = '; '.join(f'{name} is {old!r} there, {new!r} here' for name, old, new in differing[:5])
      raise InputError(f'{who} was written by another model ({shown}). It continues only with the model that wrote it.')
    what = 'parameters of other shapes' if notes.get('shapes') != self.shapes else (
        'other parameters: another run, or another step of this one')
    raise InputError(f'{who} was written by the same kind of model with {what}. '
                     'It continues only with the checkpoint that wrote it.')


def identity(model, params) -> Identity:
  """Reads all parameters: seconds, where they are many."""
  shapes, values = hashlib.sha256(), hashlib.sha256()
  for name, leaf in sorted(arrays.named(params).items()):
    array = np.asarray(leaf)
    shapes.update(f'{name} {array.dtype} {array.shape};'.encode())
    values.update(np.ascontiguousarray(array).view(np.uint8).data if array.ndim else array.tobytes())
  fields = described(model)
  parts = json.dumps(fields, sort_keys=True), shapes.hexdigest(), values.hexdigest()
  return Identity(fields, *parts[1:], hashlib.sha256(''.join(parts).encode()).hexdigest())


def described(model) -> dict:
  """A model's kind and fields, as plain values."""
  def plain(value):
    if isinstance(value, Mapping):
      return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
  names = [f.name for f in dataclasses.fields(model) if f.name not in ('parent', 'name')]
  return dict(kind=type(model).__module__.rpartition('.')[2]) | {name: plain(getattr(model, name)) for name in names}


def of(carry, unread, position: int) -> dict:
  """The state, in arrays of its own on the host."""
  host = jax.tree.map(np.array, jax.device_get(carry))
  return dict(carry=host, unread=np.array(unread, np.int32), position=np.int64(position))


def read(state, carry, vocab: int, who):
  """A state, as a tree or as arrays by their names -> carry, unread, position.

  Args:
    carry: The model's own, or its shapes.
    vocab: V.
    who: What errors call the state.

  Raises InputError where its arrays are not those of the model's carry, or make no sense.
  """
  found = arrays.named(state)
  unread, position = (np.asarray(found.get(name)) for name in ('unread', 'position'))
  like = dict(carry=carry, unread=jax.ShapeDtypeStruct((unread.size,), np.int32),
              position=jax.ShapeDtypeStruct((), np.int64))
  tree = store.shaped({name: np.asarray(leaf) for name, leaf in found.items()}, like, who)
  if not len(unread) <= position < PLACES or (len(unread) and not 0 <= unread.min() <= unread.max() < vocab):
    raise InputError(f'{who} does not hold a state that can be gone on from: the {len(unread)} tokens that wait in it '
                     f'are more than the {position} it was given, or not all of the {vocab} that the model knows, or '
                     f'it was given more than {PLACES - 1}.')
  return jax.tree.map(jnp.array, tree['carry']), unread, int(position)


def banked(bank: store.Bank, name: store.Reference, whose: Identity, version: int | None = None):
  """A session's state in a bank, the newest version unless one is named -> (arrays by name, header).

  Raises InputError where there is none, or where it is damaged, no session's, or another model's.
  """
  return bank.get(name, version, kind=KIND, fields=whose.fields, fingerprint=whose.fingerprint)
