"""Which choices are worth compiling, and what to say of those that were."""

from collections.abc import Iterator
import math

from launch import parts
from launch.planning import chips
from launch.planning.programs import Choice, Plan

# From what keeps most to what keeps least.
REMATS = ('none', 'dots', 'full')


def asked(config: dict, topology: chips.Topology) -> Choice:
  """The choice that a config makes. Raises InputError for a mesh that the topology does not have."""
  rows = config['train']['rows']
  sizes = parts.mesh_sizes(**config['mesh'], rows=rows, devices=topology.size)
  return Choice(*sizes, config['model']['remat'], rows)


def choices(config: dict, topology: chips.Topology, first: Choice, made: list[Plan], tries: int) -> Iterator[Choice]:
  """What is to be compiled next, in the light of what was: `made` grows while this is read.

  The config's own choice; then, on each mesh, the remat that keeps most of those that fit; then half the rows, until
  something fits.
  """
  yield first
  seen, left = {first}, tries - 1
  rows = first.rows
  while left > 0 and rows >= 1:
    for mesh in meshes(config, topology, rows):
      for remat in REMATS:
        choice = Choice(*mesh, remat, rows)
        if choice not in seen and left > 0:
          seen.add(choice)
          left -= 1
          yield choice
        if any(plan.choice == choice and plan.fits for plan in made):
          break
    if any(plan.fits for plan in made):
      return
    rows //= 2


def meshes(config: dict, topology: chips.Topology, rows: int) -> list[tuple[int, int, int, int]]:
  """Meshes that use every device, whose axes divide rows, heads and whole chunks; those with the least to send first.

  Sequences are cut where there are too few rows, into as few pieces as will do. Parameters that every device has whole
  come last.
  """
  size, heads = topology.size, math.gcd(*heads_of(config), topology.size)
  chunks = config['train']['length'] // config['model'].get('memory', {}).get('chunk', 1)
  found = []
  for n in (n for n in range(1, heads + 1) if heads % n == 0):
    pieces = next((p for p in range(1, size // n + 1) if size // n % p == 0 and chunks % p == 0
                   and rows % (size // n // p) == 0), None)
    found += [] if pieces is None else [(size // (n * pieces), n, pieces)]
  return [(1, *each) for each in found] + [(each[0], 1, *each[1:]) for each in found if each[0] > 1]


def heads_of(config: dict) -> list[int]:
  """How many heads each part of a layer has."""
  model = config['model']
  parts_of = (model, model.get('compose', {}), model.get('memory', {}))
  return [part[name] for part in parts_of for name in ('heads', 'kv_heads') if name in part] or [1]


def line(plan: Plan, topology: chips.Topology) -> str:
  """One plan in one line."""
  used, room = sum(plan.held.values()), topology.chip.memory
  start = f'{plan.choice!s:52} {used / chips.GIB:8.2f} of {room / chips.GIB:.2f} GiB  '
  if not plan.fits:
    return start + 'does not fit'
  bound = max(plan.seconds, key=plan.seconds.get)
  return start + (f'{plan.step * 1e3:9.1f} ms a step, bound by {bound}; '
                  f'{plan.share:.0%} of peak')


def told(made: list[Plan], topology: chips.Topology, config: dict) -> tuple[str, Plan | None]:
  """The words at the end, and the best plan that fits: most tokens a second."""
  fitting = [plan for plan in made if plan.fits]
  best = max(fitting, key=lambda plan: plan.choice.rows / plan.step, default=None)
  shown = best or min(made, key=lambda plan: sum(plan.held.values()))
  lines = [f'{topology.name}: {topology.size} devices of {topology.chip.memory / chips.GIB:.2f} GiB',
           f'{"best" if best else "nearest"}: {shown.choice}']
  for name, size in sorted(shown.held.items(), key=lambda item: -item[1]):
    lines.append(f'  {name:14} {size / chips.GIB:9.3f} GiB a device')
  free = topology.chip.memory - sum(shown.held.values())
  lines.append(f'  {"left" if free >= 0 else "too much":14} {abs(free) / chips.GIB:9.3f} GiB a device')
  if best:
    tokens = best.choice.rows * config['train']['length']
    lines.append(f'operations a step: {best.flops:.4g}, {best.flops / tokens:.4g} a token')
    lines += [f'  {name:20} {size / 1e9:9.3f} GB leave a device' for name, size in best.moved.items() if size]
    lines += [f'  {name:14} {seconds * 1e3:9.1f} ms' for name, seconds in best.seconds.items()]
    lines.append(f'at best {best.step * 1e3:.1f} ms a step, {tokens / best.step:,.0f} tokens a second, '
                 f'{best.share:.0%} of peak')
  else:
    largest = max(shown.held, key=shown.held.get)
    lines.append(f'{largest} are the largest part. {advice(shown, topology, config)}')
  return '\n'.join(lines), best


def advice(plan: Plan, topology: chips.Topology, config: dict) -> str:
  """What would make a plan fit that does not."""
  stays = sum(size for name, size in plan.held.items() if name in ('parameters', 'optimizer', 'program'))
  grows = sum(plan.held.values()) - stays
  room = topology.chip.memory - stays
  if room <= 0:
    more = 2 ** math.ceil(math.log2(sum(plan.held.values()) / topology.chip.memory))
    return f'Parameters alone do not fit: {more} times as many devices along fsdp would.'
  rows = max(1, int(plan.choice.rows * room / grows))
  steps = [f'train.rows={2 ** int(math.log2(rows))}']
  if plan.choice.remat != REMATS[-1]:
    steps.insert(0, f'model.remat={REMATS[REMATS.index(plan.choice.remat) + 1]}')
  return f'{" or ".join(steps)} may fit; --search tries.'


def record(made: list[Plan], topology: chips.Topology, config: dict) -> dict:
  """Everything, for JSON."""
  rows = [plan._asdict() | dict(choice=plan.choice._asdict(), step=plan.step if plan.fits else None) for plan in made]
  return dict(topology=dict(name=topology.name, devices=topology.size, chip=topology.chip._asdict()),
              length=config['train']['length'], model=config['model'], plans=rows)
