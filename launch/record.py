"""Gathers finished runs into one record for docs/results.

  python -m launch.record --runs=runs/a,runs/b --out=docs/results/recall.json --command="python -m launch.train ..."
"""

import datetime
import pathlib

from absl import flags

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.study import gather
from launch import shell

_OUT = flags.DEFINE_string('out', None, 'The record, a JSON file.')
_RUNS = flags.DEFINE_list('runs', [], 'Folders of finished runs.')
_COMMAND = flags.DEFINE_string('command', '', 'What was run, with every seed.')
_NOTE = flags.DEFINE_string('note', '', 'What a reader has to know.')


def main():
  if not _OUT.value:
    raise InputError('--out is missing; for example --out=docs/results/recall.json.')
  out = pathlib.Path(_OUT.value)
  shell.writable(out)
  record = gather.gather(_RUNS.value, _COMMAND.value, _NOTE.value, datetime.date.today())
  records.write_json(out, record)
  for score in record['scores']:
    print(score['name'], score['heldout'], f'{score["seconds"]:.0f} s', score['gradient'])


if __name__ == '__main__':
  shell.run(main)
