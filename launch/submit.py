"""Hands a training run to machines elsewhere, by a script that ends in `python -m launch.train`.

  python -m launch.submit --to=slurm --topology=h100:2x8 --name=mag --workdir=/runs/mag --config=configs/lm.py:mag
  python -m launch.submit --to=tpu_vm --topology=v5e:8x16 --zone=us-west4-a ...
  python -m launch.submit --to=gke --topology=v6e:8x16 --zone=us-east5 --cluster=pods --image=python:3.12 ...

--dry_run prints the script; without it, it is run (on SLURM by sbatch). --config.FIELD=VALUE goes along.
"""

import math
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import flags

from latentmem.base.errors import check_known, InputError
from launch import parts, shell
from launch.planning import chips
from launch.submitting import scripts

_CONFIG = shell.define_config()
_TO = flags.DEFINE_string('to', None, 'slurm, tpu_vm or gke.')
_TOPOLOGY = flags.DEFINE_string('topology', None, f'The machines, as in {chips.EXAMPLES}.')
_NAME = flags.DEFINE_string('name', None, 'Of the job.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder, as the machines see it.')
_FOLDER = flags.DEFINE_string('folder', None, 'The checkout, as the machines see it; tpu_vm puts it there.')
_PYTHON = flags.DEFINE_string('python', 'python3', 'The Python of the machines.')
_ZONE = flags.DEFINE_string('zone', None, 'tpu_vm, gke: where.')
_CLUSTER = flags.DEFINE_string('cluster', None, 'gke: the cluster.')
_IMAGE = flags.DEFINE_string('image', None, 'gke: the image that the checkout is put upon.')
_TIME = flags.DEFINE_string('time', None, 'slurm: how long at most.')
_SPOT = flags.DEFINE_bool('spot', False, 'tpu_vm: machines that may be taken away.')
_DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Only print the script.')


def main() -> int:
  config = shell.config_of(_CONFIG)
  for flag in (_TO, _TOPOLOGY, _NAME, _WORKDIR):
    if not flag.value:
      raise InputError(f'--{flag.name} is missing.')
  check_known(_TO.value, scripts.PLACES, 'submit', 'place')
  if '://' in _WORKDIR.value:
    raise InputError(f'--workdir={_WORKDIR.value} is no folder; a bucket has to be mounted on the machines (gcsfuse), '
                     'and its folder named.')
  topology = chips.parse(_TOPOLOGY.value)
  check_mesh(config, topology)
  given = {name: flags.FLAGS[name].value for name in scripts.SETTINGS}
  told = [a for a in sys.argv[1:] if a.lstrip('-').startswith(('config', 'noconfig'))]
  if loose := [a for a in told if '=' not in a]:
    raise InputError(f'{loose[0]} has no value behind a "="; --config=FILE.py and --config.FIELD=VALUE go along, each '
                     'one word.')
  train = [_PYTHON.value, '-m', 'launch.train', *told,
           f'--workdir={_WORKDIR.value}']
  if _FOLDER.value and _TO.value == 'gke':
    raise InputError('--folder says nothing to gke, which puts this folder upon the image.')
  folder = _FOLDER.value or ('latentmem' if _TO.value == 'tpu_vm' else os.getcwd())
  script = scripts.render(_TO.value, topology, _NAME.value, train, os.getcwd(), folder, given)
  if _DRY_RUN.value:
    print(script, end='')
    return 0
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / f'{_NAME.value}.sh'
    path.write_text(script)
    try:
      return subprocess.run(['sbatch' if _TO.value == 'slurm' else 'bash', str(path)], check=False).returncode
    except FileNotFoundError as error:
      raise InputError(f'{error.filename} is not installed here; --dry_run prints the script.') from error


def check_mesh(config: dict, topology: chips.Topology) -> None:
  """Raises InputError for a mesh that leaves machines idle, or asks for more than there are."""
  parts.check_mesh(config['mesh'])
  sizes = parts.mesh_sizes(**config['mesh'], rows=config['train']['rows'], devices=topology.size)
  used = math.prod(sizes)
  if used != topology.size:
    raise InputError(f'The mesh {config["mesh"]} with train.rows={config["train"]["rows"]} takes {used} of the '
                     f'{topology.size} devices of {topology.name}; rows that are a multiple of them, or mesh.tensor, '
                     'would use all.')


if __name__ == '__main__':
  shell.run(main)
