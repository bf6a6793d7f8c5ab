"""Scripts that end in the same `python -m launch.train`, each filled into a template of its kind of machine."""

import pathlib
import re
import shlex

from latentmem.base.errors import check_known, InputError
from launch.planning.chips import Topology

TEMPLATES = pathlib.Path(__file__).parents[1] / 'templates'
PLACES = dict(slurm='cuda', tpu_vm='tpu', gke='tpu')
# What Google calls a slice of a chip, by devices, and the system that its hosts start with.
SLICES = dict(v5e=lambda n: f'v5litepod-{n}', v5p=lambda n: f'v5p-{2 * n}', v6e=lambda n: f'v6e-{n}')
RUNTIMES = dict(v5e='v2-alpha-tpuv5-lite', v5p='v2-alpha-tpuv5', v6e='v2-alpha-tpuv6e')
# What a place has to be told besides.
NEEDED = dict(slurm=(), tpu_vm=('zone',), gke=('zone', 'cluster', 'image'))
SETTINGS = ('zone', 'cluster', 'image', 'time', 'spot')
USED = dict(slurm=('time',), tpu_vm=('zone', 'spot'), gke=('zone', 'cluster', 'image'))


def check(place: str, topology: Topology, name: str, given: dict) -> None:
  """Raises InputError for what a place does not have, or has not been told."""
  check_known(place, PLACES, 'submit', 'place')
  if topology.chip.platform != PLACES[place]:
    fitting = [other for other, platform in PLACES.items() if platform == topology.chip.platform]
    raise InputError(f'{place} has no {topology.kind}; {" and ".join(fitting)} have.')
  if not re.fullmatch(r'[a-z]([-a-z0-9]{0,38}[a-z0-9])?', name):
    raise InputError(f'--name={name} is no name of a job: up to 40 small letters, digits and hyphens, a letter first.')
  for setting in SETTINGS:
    if given.get(setting) and setting not in USED[place]:
      raise InputError(f'--{setting} says nothing to {place}, which takes {", ".join("--" + s for s in USED[place])}.')
  if missing := [f'--{setting}' for setting in NEEDED[place] if not given.get(setting)]:
    raise InputError(f'{place} needs {" and ".join(missing)}.')
  if place == 'slurm' and not re.fullmatch(r'(\d+-)?\d+(:\d\d){0,2}', given['time'] or '24:00:00'):
    raise InputError(f'--time={given["time"]} is no time of SLURM, such as 24:00:00 or 2-00:00:00.')


def render(place: str, topology: Topology, name: str, train: list[str], here: str, folder: str, given: dict) -> str:
  """The script.

  Args:
    train: The command, a word each, the Python first.
    here: The checkout.
    folder: The checkout, as the machines see it.
  """
  check(place, topology, name, given)
  command = shlex.join(train)
  values = dict(name=name, folder=shlex.quote(folder), command=command)
  if place == 'slurm':
    hosts, devices = topology.shape if len(topology.shape) == 2 else (1, topology.size)
    values |= dict(hosts=hosts, devices=devices, time=given['time'] or '24:00:00', log=f'{name}-%j.log')
  else:
    install = f"{shlex.quote(train[0])} -m venv .venv && . .venv/bin/activate && pip install -q -e '.[tpu]'"
    command = shlex.join(['python', *train[1:]])
    remote = f'{install} && {command}'
    if place == 'tpu_vm':
      there = shlex.quote(folder)
      # Hosts of a TPU VM have nothing in their environment that tells of the others.
      remote = f'mkdir -p {there} && tar xzf {there}.tar.gz -C {there} && cd {there} && {remote} --distributed=yes'
    values |= dict(here=shlex.quote(here), accelerator=SLICES[topology.kind](topology.size), remote=shlex.quote(remote),
                   runtime=RUNTIMES[topology.kind], zone=shlex.quote(given['zone']),
                   cluster=shlex.quote(given['cluster'] or ''), image=shlex.quote(given['image'] or ''),
                   spot=' --spot' if given['spot'] else '')
  template = (TEMPLATES / f'{place}.sh').read_text()
  return re.sub(r'{{(\w+)}}', lambda found: str(values[found[1]]), template)
