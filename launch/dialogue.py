"""Lets a trained model answer held-out dialogues that are cut by restarts, each part in a process of its own.

  python -m launch.dialogue --workdir=runs/dialogue-slots --dialogues=100 --restarts=4

A part takes the sessions that the part before it put into a bank, the run's folder `dialogues`, reads on, answers what
is asked, and puts them there as their next version; cuts fall anywhere, in the middle of a turn too. Then all is read
once more without a restart. dialogue.json in the run's folder tells how often both are right, and how many answers are
the same; dialogue-<part>.json has the answers of each part.
"""

import subprocess
import sys

from absl import flags, logging
import numpy as np

from latentmem.bank import store
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.session.session import Session
from latentmem.train import checkpoint
from launch import parts, shell

_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder whose model is asked.')
_DIALOGUES = flags.DEFINE_integer('dialogues', 100, 'Held-out dialogues.')
_RESTARTS = flags.DEFINE_integer('restarts', 4, 'Processes end so often between the first turn and the last.')
_PART = flags.DEFINE_integer('part', None, 'Reads this part alone; what the launcher starts processes with.')

PIECE = 64


def main():
  logging.set_verbosity(logging.FATAL)
  if not _WORKDIR.value:
    raise InputError('--workdir is missing; it names a run folder, as in --workdir=runs/dialogue-slots.')
  run = records.read(_WORKDIR.value)
  task = run.config['data'].get('task') or {}
  if task.get('kind') != 'dialogue' or _DIALOGUES.value < 1 or _RESTARTS.value < 0:
    raise InputError("launch.dialogue takes a run of the task 'dialogue', a dialogue or more, and restarts from 0 on.")
  said_in = lambda part: run.path / f'dialogue-{part}.json'
  if _PART.value is None:
    # Nothing is built before the parts have ended: an accelerator serves one process at a time.
    for part in range(_RESTARTS.value + 1):
      command = [sys.executable, '-m', 'launch.dialogue', f'--workdir={_WORKDIR.value}', f'--part={part}',
                 f'--dialogues={_DIALOGUES.value}', f'--restarts={_RESTARTS.value}']
      failed = subprocess.run(command).returncode
      if failed:
        sys.exit(failed)
  elif not 0 <= _PART.value <= _RESTARTS.value:
    raise InputError(f'With {_RESTARTS.value} restarts there are parts 0 to {_RESTARTS.value}, and no {_PART.value}.')
  built = parts.build(run.config)
  params = checkpoint.load_params(run.path)[1]
  fresh = Session(built.model, params, PIECE)
  asked = [built.source.heldout_example(i) for i in range(_DIALOGUES.value)]
  cuts = np.linspace(0, built.source.asks.length, _RESTARTS.value + 2).astype(int).tolist()
  bank = store.Bank(run.path / 'dialogues')
  if _PART.value is not None:
    records.write_json(said_in(_PART.value), read(bank, _PART.value, fresh, asked, cuts))
    return
  said = [records.read_json(said_in(part)) for part in range(_RESTARTS.value + 1)]
  restarted = [sum((part[i] for part in said), []) for i in range(len(asked))]
  whole = [answers(fresh.fork(), example, 0, cuts[-1]) for example in asked]
  right = [example.targets_T[example.weights_T > 0].tolist() for example in asked]
  agree = lambda one, other: int(np.sum(np.array(one) == np.array(other)))
  found = dict(dialogues=len(asked), restarts=_RESTARTS.value, asked=int(np.size(right)), right=agree(restarted, right),
               right_without_restart=agree(whole, right), same=agree(restarted, whole),
               chance=built.source.asks.chance)
  run.write('dialogue.json', found)
  print(f'{found["right"] / found["asked"]:.1%} of {found["asked"]} answers are right with {_RESTARTS.value} restarts, '
        f'{found["right_without_restart"] / found["asked"]:.1%} without; {found["same"]} are the same.')


def read(bank: store.Bank, part: int, fresh: Session, asked: list, cuts: list[int]) -> list[list[int]]:
  """One part of all dialogues, which leaves version part + 1 of each -> what was answered."""
  said = []
  for i, example in enumerate(asked):
    live, name = fresh.fork(), f'dialogue-{i}'
    if part:
      live.get(bank, name, part)
    elif name in bank.list():
      bank.forget(name)
    said.append(answers(live, example, cuts[part], cuts[part + 1]))
    live.put(bank, name, onto=part)
  return said


def answers(live: Session, example, start: int, stop: int) -> list[int]:
  """Reads a part of a dialogue, and gives the likeliest token wherever one is asked for."""
  said = []
  for t in (np.flatnonzero(example.weights_T[start:stop]) + start).tolist():
    live.feed(example.tokens_T[start:t + 1])
    # The dialogue goes on with what its user says; an answer is no part of it.
    said += live.fork().generate(1)
    start = t + 1
  live.feed(example.tokens_T[start:stop])
  return said


if __name__ == '__main__':
  shell.run(main)
