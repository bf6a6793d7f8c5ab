"""A live sequence: a model, its parameters, and all that persists between tokens.

    live = Session(net, params)
    live.feed(document)                              # of any length, in pieces of one size, in constant memory
    for token in live.generate(100, seed=0): ...     # one after another, in constant memory
    live.save('state.safetensors')                   # another process goes on from here

The last tokens, at most a piece, wait unread until more tokens or a question come. So pieces begin at the same places
however the tokens were handed over, and feeding in parts, or through a file, gives the same numbers to the last bit.
B rows (one), P tokens in a piece, V vocabulary.
"""

from collections.abc import Collection, Iterator, Mapping
import copy
import dataclasses
import functools
import hashlib
import itertools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.bank import format as bank_format
from latentmem.base import arrays, compiling, records
from latentmem.base.errors import InputError
from latentmem.session import sample

KIND = 'session'


class Session:
  """One live sequence.

  Attributes:
    model: As `latentmem.model` makes them.
    params: What `model.apply` takes first.
    piece: P, tokens read at once. A multiple of the memory's chunk is fastest.
    position: Tokens given so far, fed or generated.
  """

  def __init__(self, model, params, piece: int = 512):
    if piece < 1:
      raise InputError(f'piece is {piece}; it must be a number of tokens, 1 or more.')
    self.model, self.params, self.piece, self.position = model, params, piece, 0
    self._carry = jax.jit(lambda params: model.apply(params, 1, method='init_state'))(params)
    self._unread = np.zeros(0, np.int32)
    options = compiling.options(params)
    self._advance = jax.jit(functools.partial(_advance, model), donate_argnums=1, compiler_options=options)
    self._answer = jax.jit(functools.partial(_answer, model), donate_argnums=1, compiler_options=options)

  def feed(self, tokens) -> None:
    """Takes tokens [T] and reads all but the last piece of them.

    Raises InputError for numbers that are not in the vocabulary.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in 'iu'):
      raise InputError(f'feed takes a row of token numbers, not {tokens.dtype}{list(tokens.shape)}.')
    if tokens.size and not (0 <= tokens.min() and tokens.max() < self.model.vocab):
      raise InputError(f'The tokens reach from {tokens.min()} to {tokens.max()}; the model knows 0 to '
                       f'{self.model.vocab - 1}.')
    self.position += len(tokens)
    waiting = np.concatenate([self._unread, tokens.astype(np.int32)])
    # A whole piece waits too: there must be a token left to read when the next one is asked for.
    pieces = max(0, len(waiting) - 1) // self.piece
    for piece_P in waiting[:pieces * self.piece].reshape(pieces, self.piece):
      self._carry = self._advance(self.params, self._carry, piece_P[None])
    self._unread = waiting[pieces * self.piece:]

  def generate(self, length: int | None = None, sampler: sample.Sampler = sample.GREEDY,
               seed: int = 0, stops: Collection[int] = ()) -> Iterator[int]:
    """Yields `length` tokens (None: without end), each as soon as it is drawn; ends where one of `stops` is drawn.

    That token is not yielded, and is a part of what the session goes on from. A draw depends on the seed, the position
    and the model's answer: a session that stops and goes on draws what it would have drawn without stopping.

    Raises InputError where nothing was fed.
    """
    if not len(self._unread):
      raise InputError('Nothing was fed to the session; it takes at least one token to go on from.')
    return self._tokens(range(length) if length is not None else itertools.count(), sampler, jax.random.key(seed),
                        frozenset(stops))

  def _tokens(self, times, sampler, key, stops):
    for _ in times:
      token = int(_choose(sampler, key, self.position, self._next_logits())[0])
      self._unread = np.array([token], np.int32)
      self.position += 1
      if token in stops:
        return
      yield token

  def _next_logits(self) -> jax.Array:
    """Logits [1, V] of the next token; all tokens are read after it."""
    count = len(self._unread)
    # One token alone, as in generation, has a program of its own; anything more is padded to a piece.
    padded_P = self._unread if count == 1 else np.pad(self._unread, (0, self.piece - count))
    self._carry, logits_BV = self._answer(self.params, self._carry, padded_P[None], count)
    return logits_BV

  def fork(self) -> 'Session':
    """A second session that goes on from here by itself."""
    twin = copy.copy(self)
    twin._carry = jax.tree.map(jnp.copy, self._carry)
    return twin

  def save(self, path: os.PathLike | str) -> None:
    """Writes the live state to a file, whole or not at all.

    Raises InputError where the disk is full or the path cannot be written; what was there stays.
    """
    notes = dict(self._identity, kind=KIND, position=str(self.position))
    bank_format.write(path, arrays.named(jax.device_get(self._live())), notes)

  def load(self, path: os.PathLike | str) -> None:
    """Goes on from a state that `save` wrote.

    Raises InputError where the file is missing, damaged or no session's, or was written by another model; the session
    then stays as it was.
    """
    found, notes = bank_format.read(path)
    if notes.get('kind') != KIND:
      raise InputError(f'{path} holds a {notes.get("kind")!r}, not a {KIND!r}.')
    self._check_model(path, notes)
    wanted = arrays.named(self._live())
    wanted['unread'] = found.get('unread', wanted['unread'])
    if [(n, a.shape, a.dtype) for n, a in sorted(found.items())] != [
        (n, a.shape, a.dtype) for n, a in sorted(wanted.items())]:
      raise InputError(f'{path} does not hold the arrays of this model\'s state; another release may have written it.')
    unread, position = found['unread'], notes.get('position', '')
    if unread.ndim != 1 or unread.dtype != np.int32 or not position.isdecimal() or int(position) < len(unread) or (
        len(unread) and not 0 <= unread.min() <= unread.max() < self.model.vocab):
      raise InputError(f'{path} does not hold a state that can be gone on from: its unread tokens make no sense.')
    structure = jax.tree.structure(self._carry)
    names = [name for name in wanted if name != 'unread']
    self._carry = jax.tree.unflatten(structure, [jnp.array(found[name]) for name in names])
    self._unread, self.position = np.zeros(0, np.int32), int(position) - len(unread)
    self.feed(unread)

  def _live(self) -> dict:
    return dict(carry=self._carry, unread=self._unread)

  @functools.cached_property
  def _identity(self) -> dict[str, str]:
    """What a state belongs to: the model's fields, its parameters' shapes and values."""
    model = json.dumps(described(self.model), sort_keys=True)
    shapes, values = hashlib.sha256(), hashlib.sha256()
    for name, leaf in sorted(arrays.named(self.params).items()):
      array = np.asarray(leaf)
      shapes.update(f'{name} {array.dtype} {array.shape};'.encode())
      values.update(np.ascontiguousarray(array).view(np.uint8).data if array.ndim else array.tobytes())
    parts = dict(model=model, shapes=shapes.hexdigest(), values=values.hexdigest())
    return parts | dict(fingerprint=hashlib.sha256(''.join(parts.values()).encode()).hexdigest())

  def _check_model(self, path, notes: dict[str, str]) -> None:
    mine = self._identity
    if notes.get('fingerprint') == mine['fingerprint']:
      return
    try:
      differing = list(records.differences(json.loads(notes['model']), json.loads(mine['model'])))
    except (KeyError, ValueError, RecursionError):
      differing = [('model', 'unknown', 'known')]
    if differing:
      shown = '; '.join(f'{name} is {old!r} there, {new!r} here' for name, old, new in differing[:5])
      raise InputError(f'{path} was written by another model ({shown}). '
                       'It continues only with the model that wrote it.')
    what = 'parameters of other shapes' if notes.get('shapes') != mine['shapes'] else (
        'other parameters: another run, or another step of this one')
    raise InputError(f'{path} was written by the same kind of model with {what}. '
                     'It continues only with the checkpoint that wrote it.')


def described(model) -> dict:
  """A model's kind and fields, as plain values."""
  def plain(value):
    if isinstance(value, Mapping):
      return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
  names = [f.name for f in dataclasses.fields(model) if f.name not in ('parent', 'name')]
  return dict(kind=type(model).__module__.rpartition('.')[2]) | {name: plain(getattr(model, name)) for name in names}


def _advance(model, params, carry, tokens_BP):
  """Reads a whole piece -> carry."""
  return model.apply(params, carry, tokens_BP)[0]


def _answer(model, params, carry, tokens_BT, count):
  """Reads the first `count` tokens -> carry, logits_BV after the last of them."""
  length = tokens_BT.shape[1]
  mask_BT = None if length == 1 else jnp.arange(length)[None] < count
  return model.apply(params, carry, tokens_BT, mask_BT, method='last')


@functools.partial(jax.jit, static_argnums=0)
def _choose(sampler, key, position, logits_BV):
  return sampler(jax.random.fold_in(key, position), logits_BV)
