"""What chips can do, from their makers' data sheets, and the machines that are made of them.

A topology is a chip and how many of them lie along each axis: v5e:4x4, v6e:16x16, v5p:4x4x4, h100:8, h200:2x8 (hosts x
devices).
"""

import math
import re
from typing import NamedTuple

from latentmem.base.errors import hint, InputError


class Chip(NamedTuple):
  """One device.

  Attributes:
    platform: 'tpu' or 'cuda'.
    flops: Operations a second in bfloat16.
    memory: Bytes a program can have.
    bandwidth: Bytes a second between memory and core.
    link: Bytes a second that leave for other chips, over all links.
    axes: Numbers in a topology.
  """

  platform: str
  flops: float
  memory: float
  bandwidth: float
  link: float
  axes: int


GIB = 2**30
CHIPS = dict(
    v5e=Chip('tpu', 197e12, 15.75 * GIB, 819e9, 200e9, 2),
    v5p=Chip('tpu', 459e12, 95.74 * GIB, 2765e9, 600e9, 3),
    v6e=Chip('tpu', 918e12, 31.25 * GIB, 1640e9, 448e9, 2),
    h100=Chip('cuda', 989e12, 80e9, 3350e9, 450e9, 0),
    h200=Chip('cuda', 989e12, 141e9, 4800e9, 450e9, 0),
)
EXAMPLES = 'v5e:4x4, v6e:16x16, v5p:4x4x4, h200:8'


class Topology(NamedTuple):
  """Chips, and how they lie."""

  name: str
  kind: str
  chip: Chip
  shape: tuple[int, ...]

  @property
  def size(self) -> int:
    """Devices."""
    return math.prod(self.shape)


def parse(name: str) -> Topology:
  """Raises InputError for a topology that no machine has, naming what would do."""
  kind, _, shape = name.partition(':')
  if kind not in CHIPS:
    raise InputError(f'there is no chip {kind!r} in --topology={name}; there are {list(CHIPS)}{hint(kind, CHIPS)}. '
                     f'Examples: {EXAMPLES}.')
  chip = CHIPS[kind]
  sizes = tuple(int(n) for n in shape.split('x')) if re.fullmatch(r'\d+(x\d+)*', shape) else ()
  if not sizes or min(sizes) < 1 or (len(sizes) != chip.axes if chip.axes else len(sizes) > 2):
    wanted = f'{chip.axes} numbers' if chip.axes else 'devices, or hosts x devices'
    raise InputError(f'--topology={name} does not say how the chips lie: {kind} takes {wanted} after the colon. '
                     f'Examples: {EXAMPLES}.')
  return Topology(name, kind, chip, sizes)
