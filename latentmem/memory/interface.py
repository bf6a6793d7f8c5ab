"""What a memory is: a state, and two ways of reading a sequence that agree.

B batch, T tokens, C tokens in a chunk, D model width, H heads, K key width.

A memory splits in three. `drive` turns tokens into per-token arrays: learned, all tokens at once,
remembering no more than the tail of a short convolution. `one` and `many` move the cell by those
arrays, and are pure. `answer` turns what was read into the layer's output, token by token.

A drive of zeros is a token that is not there: it moves nothing. Padding and masks rest on that.
"""

import functools
from typing import Any, ClassVar

from flax import linen as nn
import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.ops import pieces

State = Any
Drive = Any


class Base(nn.Module):
  """Reads tokens into a state, and answers from it.

  Attributes:
    width: D, of tokens and answers.
    chunk: C, tokens read at once by `many`.
    state_dtype: Of the state, and of all that moves it.
  """

  width: int
  chunk: int = 64
  state_dtype: str = 'float32'

  # False: a document may start only where a chunk starts.
  resets_anywhere: ClassVar[bool] = True
  # Whether `drive` takes a source_BTD: what is written comes from those tokens, what is asked from x.
  takes_source: ClassVar[bool] = False
  # Whether its answer is a projection of tokens and what was read together, and not of what was read alone.
  concatenates: ClassVar[bool] = False
  # Whether the cell after some tokens is an affine function of the cell before: `transit` and `passed` say which.
  affine: ClassVar[bool] = False
  # Which axes of a mesh its parameters lie on: see `base.sharding`. Those it does not name are whole everywhere.
  layout: ClassVar[tuple] = ()

  def init_tail(self, batch: int, dtype) -> State:
    """What `drive` keeps of the last tokens; zeros are a sequence's start."""
    return ()

  def init_cell(self, batch: int) -> State:
    """The state a document starts with; may depend on learned values."""
    raise NotImplementedError

  def drive(self, tail: State, x_BTD: jax.Array, reset_BT: jax.Array, mask_BT: jax.Array) -> tuple[State, Drive]:
    """Tokens to per-token arrays. Real tokens (mask True) come first in each row."""
    raise NotImplementedError

  def asked(self, drive_BT: Drive) -> Drive:
    """The drive of tokens that ask and write nothing; a kind that lacks it is refused a `write_BT`."""
    raise InputError(f'{type(self).__name__} writes every token it reads; choose another memory, or no write_BT.')

  def nothing_lent(self, batch: int, length: int, parallel: bool = True, aligned: bool = False) -> tuple:
    """What `below` is in the lowest layer, for a call with these arguments; empty for a memory that stands alone."""
    return ()

  def one(self, cell: State, drive_B: Drive, fresh: State, reset_B: jax.Array, *below):
    """The meaning: one token. Rows with a reset take `fresh` before they read. -> cell, y_B..., *lent"""
    raise NotImplementedError

  def many(self, cell: State, drive_BT: Drive, fresh: State, reset_BT: jax.Array, *below):
    """The same for T tokens at once, T a multiple of `chunk`, the cell at a chunk's start."""
    return self.in_turn(cell, drive_BT, fresh, reset_BT, *below)

  def many_whole(self, cell: State, drive_BT: Drive, fresh: State, reset_BT: jax.Array, *below):
    """`many`, with the promise that every row begins at a chunk's start and every chunk is full."""
    return self.many(cell, drive_BT, fresh, reset_BT, *below)

  def transit(self, drive_BT: Drive, fresh: State, reset_BT: jax.Array):
    """What T tokens do to a cell, T a multiple of `chunk`; for kinds that are `affine`."""
    raise NotImplementedError

  def passed(self, transit, cell: State) -> State:
    """A cell after what `transit` tells of."""
    raise NotImplementedError

  def many_in_pieces(self, cell: State, drive_BT: Drive, fresh: State, reset_BT: jax.Array):
    """`many_whole`, each device reading the piece of the sequence that lies there."""
    alone, params = self.clone(parent=None), dict(params=self.variables.get('params', {}))
    many, transit = (functools.partial(alone.apply, method=name) for name in ('many_whole', 'transit'))
    if self.affine:
      return pieces.folded(many, transit, self.passed, params, cell, drive_BT, fresh, reset_BT)
    return pieces.handed_over(many, params, cell, drive_BT, fresh, reset_BT)

  def peek(self, cell: State, drive_BT: Drive) -> jax.Array:
    """What the cell as it stands answers to each of T tokens, none of them written: y as `many` returns it.

    Reads what is remembered now, in mid-chunk too. `mac` needs it; a kind that lacks it is refused there.
    """
    raise InputError(f'{type(self).__name__} cannot be read without writing to it, which mac does; '
                     'choose another memory or composition.')

  def age(self, cell: State) -> jax.Array | None:
    """Tokens read since the chunk began, [B]; None where chunks leave no mark on the cell."""
    return None

  def answer(self, y_BT: jax.Array, x_BTD: jax.Array) -> jax.Array:
    """What was read, to the layer's output [B, T, D]."""
    return y_BT

  def watch(self, cell: State, drive_BT: Drive, fresh: State, reset_BT: jax.Array, read) -> dict:
    """Per-token arrays worth looking at, [B, T, ...]; sown into 'telemetry' where that is asked for.

    `read(drive) -> cell, y` reads these tokens from this cell by another drive.
    """
    return {}

  def costs(self, drive_BT: Drive) -> dict:
    """Numbers that training adds to its loss, means over the tokens; sown into 'costs' where that is asked for."""
    return {}

  def init_state(self, batch: int, dtype='float32') -> State:
    """A fresh state for `batch` rows of tokens of `dtype`."""
    return dict(tail=self.init_tail(batch, dtype), cell=self.init_cell(batch))

  def in_turn(self, cell, drive_BT, fresh, reset_BT, *below_T):
    """The meaning of `many`: `one`, token after token."""
    def body(cell, inputs):
      drive_B, reset_B, *below = inputs
      cell, *read = self.one(cell, drive_B, fresh, reset_B, *below)
      return cell, read
    time_first = jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), (drive_BT, reset_BT))
    cell, (y_TB, *lent_T) = jax.lax.scan(body, cell, (*time_first, *below_T))
    return cell, jnp.swapaxes(y_TB, 0, 1), *lent_T

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, source_BTD=None,
               parallel: bool = True, aligned: bool = False, below: tuple = ()):
    """Reads T tokens.

    Args:
      state: From `init_state`, or from an earlier call.
      x_BTD: Tokens.
      reset_BT: True where a document begins; the row forgets everything before that token.
      mask_BT: False where there is no token. A row's real tokens come first.
      write_BT: False where a token asks and is not written: the cell stays as it is, but for the tail of convolutions.
      source_BTD: Tokens that are written in the place of x, which then only asks; also of x's dtype.
      parallel: False reads token after token, the meaning; True reads chunks at once, the same faster.
      aligned: Promises that every row stands at a chunk's start, which saves the shifting of rows.
      below: What the memory of the layer below lends, as that one's call returned it; `nothing_lent` in the lowest.

    Returns:
      state, y_BTD in x's dtype, and where `below` is given what this memory lends. Answers where there is no token
      mean nothing.

    Raises:
      InputError: for a write_BT or source_BTD that this kind has no use for.
    """
    if source_BTD is not None and not self.takes_source:
      raise InputError(f'{type(self).__name__} writes what it is asked with; choose another memory, or no source_BTD.')
    batch, length, _ = x_BTD.shape
    reset_BT = jnp.zeros((batch, length), bool) if reset_BT is None else reset_BT
    real_BT = jnp.ones((batch, length), bool) if mask_BT is None else mask_BT
    source = {} if source_BTD is None else dict(source_BTD=source_BTD)
    tail, drive_BT = self.drive(state['tail'], x_BTD, reset_BT, real_BT, **source)
    if write_BT is not None:
      drive_BT = arrays.pick(write_BT, drive_BT, self.asked(drive_BT))
    if mask_BT is not None:
      drive_BT = arrays.pick(mask_BT, drive_BT, jax.tree.map(jnp.zeros_like, drive_BT))
      reset_BT &= mask_BT
    cell, fresh = state['cell'], self.init_cell(batch)
    whole = aligned and mask_BT is None and write_BT is None and length % self.chunk == 0
    apart = not below and pieces.count() > 1 and length % (pieces.count() * self.chunk) == 0
    way = (self.alone if length == 1 else self.in_turn if not parallel else
           functools.partial(self.in_chunks, aligned=aligned) if not whole else
           self.many_in_pieces if apart else self.many_whole)
    if asked_for(self, 'telemetry'):
      read = lambda drive_BT: way(cell, drive_BT, fresh, reset_BT, *below)[:2]
      self._tell('telemetry', self.watch(cell, drive_BT, fresh, reset_BT, read))
    if asked_for(self, 'costs'):
      self._tell('costs', self.costs(drive_BT))
    cell, y_BT, *lent = way(cell, drive_BT, fresh, reset_BT, *below)
    return dict(tail=tail, cell=cell), self.answer(y_BT, x_BTD).astype(x_BTD.dtype), *lent

  def _tell(self, collection: str, values: dict):
    for name, value in values.items():
      self.sow(collection, name, value, reduce_fn=lambda _, new: new, init_fn=lambda: None)

  def alone(self, cell, drive_B1, fresh, reset_B1, *below):
    """`one`, for a sequence of one token."""
    drive_B, reset_B = jax.tree.map(lambda a: a[:, 0], (drive_B1, reset_B1))
    cell, y_B, *lent = self.one(cell, drive_B, fresh, reset_B, *below)
    return cell, y_B[:, None], *lent

  def in_chunks(self, cell, drive_BT, fresh, reset_BT, *below, aligned: bool = False):
    """`many` for any T and age: lays tokens out so that chunks begin where the cell's chunks begin."""
    batch, length = reset_BT.shape
    age_B = None if aligned else self.age(cell)
    if age_B is None:
      padded = -(-length // self.chunk) * self.chunk
      lay = lambda a: jnp.pad(a, [(0, 0), (0, padded - length)] + [(0, 0)] * (a.ndim - 2))
      take = lambda y: y[:, :length]
    else:
      padded = -(-(length + self.chunk - 1) // self.chunk) * self.chunk
      start_B = jnp.where(reset_BT[:, 0], 0, age_B)
      lay, take = shift_by(start_B, length, padded)
    drive_BT, reset_BT = jax.tree.map(lay, (drive_BT, reset_BT))
    cell, y_BT, *lent = self.many(cell, drive_BT, fresh, reset_BT, *below)
    return cell, take(y_BT), *lent


def asked_for(module: nn.Module, collection: str) -> bool:
  """Whether the caller wants what `module` tells beside its answers. `init` makes parameters, and nothing else."""
  return module.is_mutable_collection(collection) and not module.is_initializing()


def shift_by(start_B: jax.Array, length: int, padded: int):
  """Two functions: [B, length, ...] to [B, padded, ...] with row b at start_b and zeros around; and back."""
  place_BT = start_B[:, None] + jnp.arange(length)
  source_BP = jnp.arange(padded) - start_B[:, None]
  inside_BP = (source_BP >= 0) & (source_BP < length)

  def lay(a):
    moved = arrays.at(jnp.clip(source_BP, 0, length - 1), a)
    return arrays.pick(inside_BP, moved, jnp.zeros_like(moved))

  return lay, lambda y: arrays.at(place_BT, y)
