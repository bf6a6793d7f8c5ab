"""Says whether a training run fits on machines that are not there, and how fast a step could be on them.

  python -m launch.plan --config=configs/lm.py:mag,size=760m --topology=v5e:16x16 --config.train.rows=256
  python -m launch.plan --config=configs/lm.py:mag,size=340m --topology=v6e:4x4 --search

Compiles the step for them with their own compiler (pip install -e '.[plan]'), and reads the compiled program. Prints a
table, and writes OUT.json and OUT.png. With --search, tries meshes, what the backward pass computes again, and, where
nothing fits, fewer rows. The exit code is 0 where a plan fits, else 1.
"""

import datetime
import pathlib

from absl import flags
import jax

from latentmem import data, model, train
from latentmem.base import records
from launch import parts, shell
from launch.planning import chips, programs, search

_CONFIG = shell.define_config()
_TOPOLOGY = flags.DEFINE_string('topology', 'v5e:4x4', f'Chips and how they lie: {chips.EXAMPLES}.')
_SEARCH = flags.DEFINE_bool('search', False, 'Try other meshes, remats and rows.')
_TRIES = flags.DEFINE_integer('tries', 12, 'Programs that --search compiles at most.', lower_bound=1)
_OUT = flags.DEFINE_string('out', None, 'Where the record goes, without an ending; runs/plan-<config> if not given.')


def main():
  # This machine only compiles, whatever devices it has.
  jax.config.update('jax_platforms', 'cpu')
  topology = chips.parse(_TOPOLOGY.value)
  config = whole(shell.config_of(_CONFIG))
  out = pathlib.Path(_OUT.value or f'runs/plan-{shell.config_name()}')
  shell.writable(out)
  devices = programs.devices_of(topology)
  asked = search.asked(config, topology)
  made = []
  for choice in search.choices(config, topology, asked, made, _TRIES.value if _SEARCH.value else 1):
    made.append(programs.plan(config, topology, devices, choice))
    print(search.line(made[-1], topology), flush=True)
  text, best = search.told(made, topology, config)
  from latentmem.study import figures, plan_figure
  record = dict(command=shell.command('plan')) | search.record(made, topology, config) | dict(
      versions=records.versions(), commit=records.commit(), date=datetime.date.today().isoformat())
  records.write_json(shell.ending(out, '.json'), record)
  records.write_whole(shell.ending(out, '.png'), figures.png(plan_figure.draw(record)))
  print(f'{text}\n{out}.json and {out}.png')
  return 0 if best else 1


def whole(config: dict) -> dict:
  """A config with every field. Data are looked at only for a vocabulary that the config leaves open."""
  parts.check_mesh(config['mesh'])
  fields = model.fields(**config['model'])
  if not fields['vocab']:
    fields = parts.with_vocab(fields, data.make(data.fields(config['data'])))
  return config | dict(model=fields, train=train.fields(**config['train']))


if __name__ == '__main__':
  shell.run(main)
