"""Looks into a bank of memory states, and tidies it.

  python -m launch.bank --path=runs/bank list
  python -m launch.bank --path=runs/bank show alice@3
  python -m launch.bank --path=runs/bank diff alice@2 alice
  python -m launch.bank --path=runs/bank fork alice@2 bob
  python -m launch.bank --path=runs/bank merge alice bob --into=both --rule=mean
  python -m launch.bank --path=runs/bank forget alice

A name alone is its newest version. The path may be any that fsspec knows (s3://, gs://, ...).
"""

import datetime
import json
import pathlib

from absl import flags

from latentmem.bank import merging, store
from latentmem.base.errors import check_known, InputError
from launch import shell

_PATH = flags.DEFINE_string('path', None, 'The bank: a folder or a URL.')
_INTO = flags.DEFINE_string('into', None, 'For merge: the object that gets the new version.')
_RULE = flags.DEFINE_string('rule', 'refuse', f'For merge, where several changed an array: {", ".join(merging.RULES)}.')


def main(words):
  if not _PATH.value:
    raise InputError('--path is missing; it names a bank, as in --path=runs/bank.')
  if not words:
    raise InputError(f'What is to be done is missing; one of {list(COMMANDS)}.')
  command, *names = words
  check_known(command, COMMANDS, 'launch.bank', 'command')
  call, takes = COMMANDS[command]
  if len(names) not in takes:
    raise InputError(f'{command} takes {" or ".join(map(str, takes[:2]))} names, not {names}.')
  if '://' not in _PATH.value and not pathlib.Path(_PATH.value).is_dir():
    raise InputError(f'There is no folder {_PATH.value}; --path names one.')
  call(store.Bank(_PATH.value), *names)


def listed(bank):
  damaged = []
  for name in bank.list():
    versions = bank.versions(name)
    try:
      header = bank.header(name, versions[-1])
    except InputError as error:
      damaged.append(name)
      print(f'{f"{name}@{versions[-1]}":32} {error}')
      continue
    print(f'{header!s:32} {header.kind or "-":12} {header.bytes:15,} bytes  {len(versions):4} versions  {header.when}')
  if damaged:
    raise InputError(f'The newest versions of {damaged} cannot be read; show NAME@VERSION looks at an older one.')


def show(bank, name):
  header = bank.header(name)
  print(json.dumps(header._asdict() | dict(stored={n: how._asdict() for n, how in header.stored.items()},
                                           parents=[str(parent) for parent in header.parents]), indent=2))


def diff(bank, before, after):
  typed = lambda said: f'{said[0]}{list(said[1])}' if said else 'absent'
  number = lambda value: '-' if value is None else f'{value:.4g}'
  for name, change in bank.diff(before, after).items():
    told = 'the same' if change.same else f'differs by {number(change.norm)}, at most {number(change.largest)}'
    shapes = ' -> '.join(dict.fromkeys(map(typed, (change.before, change.after))))
    print(f'{name:40} {shapes:28} {number(change.norm_before):>10} -> {number(change.norm_after):>10}  {told}')


def fork(bank, name, as_name):
  print(f'{as_name}@{bank.fork(name, as_name, when=now())}')


def merge(bank, *names):
  if not _INTO.value:
    raise InputError('--into is missing; it names the object that gets the new version.')
  # What somebody puts there meanwhile is not passed over.
  onto = bank.versions(_INTO.value)[-1] if _INTO.value in names else None
  print(f'{_INTO.value}@{bank.merge(names, _RULE.value, _INTO.value, onto, when=now())}')


def now() -> str:
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


# What is called, and how many names it takes.
COMMANDS = dict(list=(listed, [0]), show=(show, [1]), diff=(diff, [2]), fork=(fork, [2]), merge=(merge, range(2, 100)),
                forget=(store.Bank.forget, [1]))


if __name__ == '__main__':
  shell.run(main, words=True)
