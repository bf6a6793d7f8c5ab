"""Numbers in fewer bits: what is stored of arrays, what comes back, and how far that is from what was put.

  float32, bfloat16    wider floats, rounded to the nearest
  int8                 n = round(x / s), s = max |x| / 127 over each matrix (the last two axes; a vector as a whole)

Nothing is ever stored wider than it was. Integers, booleans, and arrays that hold a number that is not finite are kept
exactly, and so is what int8 and its scales would not make smaller. Errors are those of what comes back, beside what
was put: the largest, and the root of the mean square.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from latentmem.base import safetensors
from latentmem.base.errors import check_known, InputError

EXACT, INT8 = 'exact', 'int8'
ROUNDED = dict(float32=np.dtype('<f4'), bfloat16=np.dtype(jnp.bfloat16))
KINDS = (EXACT, *ROUNDED, INT8)
MOST = 127


class Stored(NamedTuple):
  """How one array is stored.

  Attributes:
    kind: One of KINDS but 'exact'; those kept exactly have no entry.
    dtype: What it was, by its code in the file's layout, and what it comes back as.
    scale: Name of the array of its scales; '' for none.
    largest, rms: Errors.
  """

  kind: str
  dtype: str
  scale: str
  largest: float
  rms: float


def store(arrays: dict[str, np.ndarray], kind: str) -> tuple[dict[str, np.ndarray], dict[str, Stored]]:
  """(arrays to be written, how each of them is stored where it is not stored exactly).

  Raises InputError for an unknown kind.
  """
  check_known(kind, KINDS, 'bank', 'storage')
  written, how = dict(arrays), {}
  for name, array in arrays.items():
    if kind == EXACT or not _can_be_rounded(array):
      continue
    scale = ''
    if kind == INT8:
      small, scales = quantised(array)
      if small.nbytes + scales.nbytes >= array.nbytes:
        continue
      back = dequantised(small, scales, array.dtype)
    else:
      if ROUNDED[kind].itemsize >= array.dtype.itemsize:
        continue
      small = array.astype(ROUNDED[kind])
      back = small.astype(array.dtype)
    # The largest numbers of a type may be rounded to beyond it.
    if not np.all(np.isfinite(back)):
      continue
    if kind == INT8:
      scale = _free(f'{name}.scale', written)
      written[scale] = scales
    written[name] = small
    how[name] = Stored(kind, safetensors.CODES[array.dtype.newbyteorder('<')], scale, *errors(array, back))
  return written, how


def restore(path, written: dict[str, np.ndarray], how: dict[str, Stored]) -> dict[str, np.ndarray]:
  """The arrays, each of the dtype that it had. Raises InputError where what `how` says cannot be; `path` is named."""
  arrays = dict(written)
  for name, stored in how.items():
    small, scales, dtype = written.get(name), written.get(stored.scale), safetensors.DTYPES[stored.dtype]
    if stored.kind == INT8:
      sound = small is not None and scales is not None and small.dtype == np.int8 and (
          scales.dtype == np.float32 and scales.shape == _scale_shape(small.shape))
    else:
      sound = small is not None and not stored.scale and small.dtype == ROUNDED[stored.kind]
    if not sound:
      raise InputError(f'{path} does not tell the truth: {name!r} is not stored as {stored.kind}.')
    arrays[name] = dequantised(small, scales, dtype) if stored.kind == INT8 else small.astype(dtype)
  for stored in how.values():
    arrays.pop(stored.scale, None)
  return arrays


def quantised(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(n int8, s float32) of a finite array; s has size 1 along the axes that share a scale."""
  wide = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
  scales = np.max(np.abs(wide), axis=_axes(array.ndim), keepdims=True, initial=0) / MOST
  # Nothing but zeros has any scale; one that no float32 is fine enough for would divide by zero.
  scales = np.where(scales < np.finfo(np.float32).tiny, 1, scales).astype(np.float32)
  return np.clip(np.rint(wide / scales), -MOST, MOST).astype(np.int8), scales


def dequantised(small: np.ndarray, scales: np.ndarray, dtype) -> np.ndarray:
  return (small * scales).astype(dtype, copy=False)


def errors(array: np.ndarray, back: np.ndarray) -> tuple[float, float]:
  """(largest, root of mean square) of the difference."""
  apart = back.astype(np.float64) - array.astype(np.float64)
  return (float(np.max(np.abs(apart))), float(np.sqrt(np.mean(np.square(apart))))) if apart.size else (0.0, 0.0)


def _axes(ndim: int) -> tuple[int, ...]:
  """The axes that share a scale."""
  return tuple(range(max(0, ndim - 2), ndim)) if ndim > 1 else tuple(range(ndim))


def _scale_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
  shared = _axes(len(shape))
  return tuple(1 if axis in shared else size for axis, size in enumerate(shape))


def _can_be_rounded(array: np.ndarray) -> bool:
  """Whether it holds floats, all of them finite in float32 too."""
  if safetensors.CODES.get(array.dtype.newbyteorder('<')) not in safetensors.FLOATS or not np.all(np.isfinite(array)):
    return False
  return array.dtype.itemsize < 8 or bool(np.all(np.abs(array) <= np.finfo(np.float32).max))


def _free(name: str, taken) -> str:
  """`name`, or what is free beside it."""
  while name in taken:
    name += '_'
  return name
