"""Several descendants of one state made one.

What one side alone has changed since the common parent is taken from it; what several have changed alike, once. Where
they have changed it differently, the rule decides:

  refuse    nothing is merged, and what is in conflict is named
  newest    the newest side's
  mean      the mean of those that changed it, of floats of equal shapes; anything else is refused

Without a common parent, everything that differs is changed by all.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from latentmem.base import safetensors
from latentmem.base.errors import check_known, InputError

RULES = ('refuse', 'newest', 'mean')
SHOWN = 10

ABSENT = object()


def merged(sides: list[dict[str, Any]], parent: dict[str, Any] | None, rule: str, what: str, who: str,
           same: Callable[[Any, Any], bool]) -> dict[str, Any]:
  """One dict of several, name by name; a name that is absent is a change like any other.

  Args:
    sides: From the oldest to the newest.
    parent: What all of them came from; None where there is none.
    rule: One of RULES.
    what, who: What errors call a value, and the sides.
    same: Whether two values are equal.

  Raises InputError for an unknown rule, and where the rule refuses.
  """
  check_known(rule, RULES, 'merge', 'rule')
  out, conflicts = {}, []
  for name in sorted(set().union(parent or {}, *sides)):
    origin = (parent or {}).get(name, ABSENT)
    held = [side.get(name, ABSENT) for side in sides]
    changed = [value for value in held if parent is None or not _equal(value, origin, same)]
    if all(_equal(value, changed[0], same) for value in changed):
      value = changed[0] if changed else origin
    elif rule == 'newest':
      value = changed[-1]
    elif rule == 'mean' and _can_be_averaged(changed):
      value = mean(changed)
    else:
      conflicts.append(name)
      continue
    if value is not ABSENT:
      out[name] = value
  if conflicts:
    more = f' and {len(conflicts) - SHOWN} more' if len(conflicts) > SHOWN else ''
    since = 'since their common parent' if parent is not None else 'and have no common parent that is still there'
    hint = ' The rule mean takes floats of equal shapes.' if rule == 'mean' else ''
    raise InputError(f'{who} have changed {what} {conflicts[:SHOWN]}{more} differently {since}; the rule {rule!r} '
                     f'merges none of it.{hint} Another rule of {list(RULES)} may.')
  return out


def unrounded(side: dict[str, np.ndarray], parent: dict[str, np.ndarray] | None,
              largest: dict[str, float]) -> dict[str, np.ndarray]:
  """A side in which what storing it in fewer bits may have moved, and nobody else has, is as in the parent.

  Args:
    largest: The largest error of each array that is not stored exactly.
  """
  def is_parents(name, array):
    old = (parent or {}).get(name)
    return (name in largest and old is not None and (array.dtype, array.shape) == (old.dtype, old.shape)
            and bool(np.all(np.abs(array.astype(np.float64) - old.astype(np.float64)) <= largest[name])))
  return {name: parent[name] if is_parents(name, array) else array for name, array in side.items()}


def mean(values: list[np.ndarray]) -> np.ndarray:
  """Of arrays alike, added in float64, in their dtype."""
  total = values[0].astype(np.float64)
  for value in values[1:]:
    total += value
  return (total / len(values)).astype(values[0].dtype)


def same_array(a: np.ndarray, b: np.ndarray) -> bool:
  """Equal to the last bit."""
  return (a.dtype, a.shape) == (b.dtype, b.shape) and np.array_equal(safetensors.data_of(a), safetensors.data_of(b))


def _equal(a, b, same) -> bool:
  return a is b if a is ABSENT or b is ABSENT else same(a, b)


def _can_be_averaged(values: list) -> bool:
  first = values[0]
  return all(isinstance(value, np.ndarray) and isinstance(first, np.ndarray)
             and (value.dtype, value.shape) == (first.dtype, first.shape)
             and safetensors.CODES.get(value.dtype.newbyteorder('<'), '') in safetensors.FLOATS for value in values)
