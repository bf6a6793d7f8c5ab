"""Fits scaling laws to runs that have ended, from their folders alone, and compares groups at equal compute.

  python -m launch.fit --runs=runs/sweep --by=model.memory.kind --out=runs/sweep/fit

Writes OUT.json, OUT.txt and OUT.png. The loss is held-out bits per byte, or nats per scored token where there are none.
"""

import pathlib

from absl import flags

from latentmem.base import records
from latentmem.base.errors import InputError
from launch import shell

_RUNS = flags.DEFINE_list('runs', [], 'Run folders, or folders of run folders.')
_BY = flags.DEFINE_string('by', 'model.memory.kind', 'The field of the config that groups runs.')
_OUT = flags.DEFINE_string('out', 'runs/fit', 'Where the report goes, without an ending.')
_DRAWS = flags.DEFINE_integer('draws', 200, 'Bootstrap draws.', lower_bound=20)


def main():
  out = pathlib.Path(_OUT.value)
  shell.writable(out)
  from latentmem.study import figures, scaling_report
  runs = [records.read(path) for given in _RUNS.value for path in folders(pathlib.Path(given))]
  if not runs:
    raise InputError('There is no run to fit; give folders, as in --runs=runs/sweep.')
  points = [(run, scaling_report.point(run, _BY.value)) for run in runs]
  for run, found in points:
    if found is None:
      print(f'{run.path} has not ended and is left out.')
  ended = [found for _, found in points if found]
  if not ended:
    raise InputError(f'None of {len(points)} runs has ended; there is nothing to fit yet.')
  report = scaling_report.report(ended, _DRAWS.value)
  told = scaling_report.text(report)
  records.write_json(shell.ending(out, '.json'), report)
  records.write_whole(shell.ending(out, '.txt'), told + '\n')
  records.write_whole(shell.ending(out, '.png'), figures.png(scaling_report.draw(report)))
  print(told)


def folders(path: pathlib.Path) -> list[pathlib.Path]:
  """A run's folder, or those in it. Raises InputError where there are none."""
  if (path / 'config.json').exists():
    return [path]
  found = sorted(config.parent for config in path.glob('*/config.json'))
  if not found:
    records.read(path)
  return found


if __name__ == '__main__':
  shell.run(main)
