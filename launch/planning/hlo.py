"""What a compiled program does, read from its text: bytes that each collective moves, and bytes of memory traffic.

XLA's own analysis counts the body of a loop once; here it counts as often as the loop runs, which the loop's condition
says. Of branches the dearest counts. Numbers are of one device.
"""

import collections
import copy
import math
import re
from typing import NamedTuple

COLLECTIVES = ('all-gather', 'all-reduce', 'reduce-scatter', 'all-to-all', 'collective-permute')
# Those that read a part of their first operand, and those that write a part: which operand is the part.
SLICES = ('dynamic-slice', 'slice', 'gather')
UPDATES = {'dynamic-update-slice': 1, 'scatter': 2}
# Names for values that move nothing.
FREE = {'parameter', 'constant', 'tuple', 'get-tuple-element', 'bitcast', 'while', 'conditional', 'call', 'after-all',
        'partition-id', 'replica-id', 'iota', 'opt-barrier'}

_INSTRUCTION = re.compile(r'^\s+(?:ROOT )?%?([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)$')
_COMPUTATION = re.compile(r'^(ENTRY )?%?([\w.-]+) (?:\(.*)?\{\s*$')
_SHAPE = re.compile(r'(pred|token|[a-z]+\d+[a-z0-9]*)\[([\d,]*)\](\{[^}]*\})?')
_CALLED = re.compile(r'(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.-]+)')
_BRANCHES = re.compile(r'branch_computations=\{([^}]*)\}')


class Instruction(NamedTuple):
  """One line of a computation."""

  name: str
  shape: str
  kind: str
  rest: str


class Traffic(NamedTuple):
  """Bytes of one run on one device.

  Attributes:
    moved: {collective: bytes that leave the device}.
    memory: Bytes read and written between fusions.
  """

  moved: dict[str, float]
  memory: float


def traffic(text: str, devices: int) -> Traffic:
  """All that the entry computation of a program moves."""
  entry, computations = parse(text)
  reader = _Reader(computations, devices)
  reader.walk(entry, 1)
  moved = collections.Counter()
  for kind, size, times in reader.channels.values():
    moved[kind] += size * times
  return Traffic(dict(moved), reader.memory)


class _Reader:
  """Goes through computations as often as they run."""

  def __init__(self, computations: dict[str, list[Instruction]], devices: int):
    self.computations, self.devices, self.memory = computations, devices, 0.0
    self.shapes = {name: {each.name: each.shape for each in lines} for name, lines in computations.items()}
    # {channel: (collective, bytes, times)}. The steps of one collective that is spread over others share a channel; it
    # takes place as often as the rarest of them.
    self.channels: dict[str, tuple[str, float, float]] = {}

  def walk(self, name: str, times: float, inside: bool = False) -> None:
    """Adds what a computation does; `inside` a fusion, nothing goes to memory."""
    for each in self.computations[name]:
      kind = each.kind.removesuffix('-start')
      if kind in COLLECTIVES:
        self._collective(each, kind, times)
      elif each.kind == 'while':
        body, condition = (re.search(rf'{part}=%?([\w.-]+)', each.rest)[1] for part in ('body', 'condition'))
        self.walk(body, times * trips(each, self.computations[condition]), inside)
      elif branches := self._branches(each):
        self.walk(max(branches, key=self._cost), times, inside)
      else:
        for called in self._called(each):
          self.walk(called, times, inside or each.kind == 'fusion')
        if not inside and each.kind not in FREE and not each.kind.endswith('-done'):
          self.memory += times * self._touched(each, self.shapes[name])

  def _collective(self, each, kind, times):
    channel = re.search(r'channel_id=(\d+)', each.rest)
    key = channel[1] if channel else each.name
    old = self.channels.get(key)
    self.channels[key] = kind, moved(each, kind, self.devices), min(times, old[2]) if old else times

  def _called(self, each):
    return [name for name in _CALLED.findall(each.rest) if name in self.computations]

  def _branches(self, each):
    if listed := _BRANCHES.search(each.rest):
      return [name.strip(' %') for name in listed[1].split(',')]
    return self._called(each) if each.kind == 'conditional' else []

  def _cost(self, name):
    apart = copy.copy(self)
    apart.memory, apart.channels = 0.0, {}
    apart.walk(name, 1)
    return apart.memory + sum(size * times for _, size, times in apart.channels.values())

  def _touched(self, each, own):
    """Bytes of memory that an instruction reads and writes: of slices the slice, not what it is cut from."""
    sizes = [size_of(own.get(name, '')) for name in operands(each)]
    if each.kind.endswith('-start'):
      return size_of(each.shape)
    if each.kind in SLICES:
      return 2 * size_of(each.shape)
    if each.kind in UPDATES:
      return 2 * sizes[UPDATES[each.kind]]
    if each.kind == 'fusion' and (called := self._called(each)):
      return self._of_fusion(called[0], sizes, size_of(each.shape))
    return size_of(each.shape) + sum(sizes)

  def _of_fusion(self, name, sizes, out):
    """What a fusion reads and writes; of what it only cuts from, or only writes into, the parts."""
    users = collections.defaultdict(list)
    for each in self.computations[name]:
      for place, operand in enumerate(operands(each)):
        users[operand].append((each, place))
    for each in self.computations[name]:
      if each.kind == 'parameter':
        uses = users[each.name]
        if uses and all(place == 0 and user.kind in (*SLICES, *UPDATES) for user, place in uses):
          sizes[int(each.rest.partition(')')[0])] = sum(size_of(user.shape) for user, _ in uses if user.kind in SLICES)
      elif each.kind in UPDATES:
        part = self.shapes[name].get(operands(each)[UPDATES[each.kind]], '')
        out -= max(0, size_of(each.shape) - size_of(part, True))
    return sum(sizes) + max(0, out)


def parse(text: str) -> tuple[str, dict[str, list[Instruction]]]:
  """-> the entry's name, {computation: its instructions}."""
  entry, computations, name = None, collections.defaultdict(list), None
  for line in text.splitlines():
    if head := _COMPUTATION.match(line):
      name = head[2]
      entry = name if head[1] else entry
    elif name and (found := _INSTRUCTION.match(line)):
      computations[name].append(Instruction(*found.groups()))
  return entry, dict(computations)


def operands(each: Instruction) -> list[str]:
  """Names of what an instruction takes."""
  return re.findall(r'%([\w.-]+)', each.rest.split('), ')[0])


def trips(loop: Instruction, condition: list[Instruction]) -> int:
  """How often a loop runs: what XLA noted, or the number that its condition compares with; 1 if neither is there."""
  if noted := re.search(r'known_trip_count[^\d]*(\d+)', loop.rest):
    return int(noted[1])
  numbers = [int(found[1]) for each in condition for found in [re.match(r'(\d+)\)', each.rest)]
             if each.kind == 'constant' and found and each.shape.startswith(('s32', 'u32'))]
  return max(numbers, default=1)


def moved(each: Instruction, kind: str, devices: int) -> float:
  """Bytes that leave one device, in a ring."""
  n = group(each.rest, devices)
  size = max((size_of(part, True) for part in each.shape.strip('()').split(', ')), default=0)
  if kind == 'collective-permute':
    return size
  # The shape of a result: gathered is whole, scattered is a part.
  return {'all-gather': size * (n - 1) / n, 'all-reduce': 2 * size * (n - 1) / n, 'reduce-scatter': size * (n - 1),
          'all-to-all': size * (n - 1) / n}[kind]


def group(rest: str, devices: int) -> int:
  """Devices that a collective joins."""
  if iota := re.search(r'replica_groups=\[(\d+),(\d+)\]', rest):
    return int(iota[2])
  if listed := re.search(r'replica_groups=\{\{([\d,]*)\}', rest):
    return len(listed[1].split(','))
  if named := re.search(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}", rest):
    sizes = dict(re.findall(r"'([^']+)'=(\d+)", named[1]))
    return math.prod(int(sizes[axis]) for axis in re.findall(r"'([^']+)'", named[2]))
  return devices


def size_of(shape: str, anywhere: bool = False) -> int:
  """Bytes of a shape or a tuple of them; those in a core's own memory, S(1), count only if `anywhere`."""
  total = 0
  for kind, dims, layout in _SHAPE.findall(shape):
    bits = 8 if kind == 'pred' else int(re.search(r'\d+', kind)[0]) if kind != 'token' else 0
    if anywhere or not re.search(r'S\([1-9]', layout):
      total += math.prod(int(n) for n in dims.split(',') if n) * bits // 8
  return total
