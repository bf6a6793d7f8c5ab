"""Writers that are killed: run as a command, for processes that have nothing but the bank in them.

  python -m tests.bank.kills at FOLDER MOMENT         one writer, killed when it first comes to that moment
  python -m tests.bank.kills random FOLDER KILLS SEED    4 writers of one name, killed that many times and begun again
"""

import os
import pathlib
import random
import signal
import sys
import time

import numpy as np

from latentmem.bank import folder, store

NAME, WRITERS = 'shared', 4
# What a put comes through, in order; the last two when the version is there.
MOMENTS = ('open', 'flock', 'pwrite', 'second pwrite', 'fsync', 'link', 'after link', 'sync_folder')


def state(who: str) -> dict[str, np.ndarray]:
  """Numbers that belong to nobody else."""
  rng = np.random.default_rng(list(who.encode()))
  return dict(a=rng.standard_normal((40, 50)), b=rng.integers(0, 1000, 3000))


def die(*_, **__):
  os.kill(os.getpid(), signal.SIGKILL)


def at(path: str, moment: str) -> None:
  """Puts a state, and is killed."""
  bank = store.Bank(path)
  pwrite, link, count = os.pwrite, os.link, iter(range(100))
  if moment == 'open':
    folder.open = die
  elif moment == 'flock':
    folder.fcntl.flock = die
  elif moment == 'pwrite':
    os.pwrite = die
  elif moment == 'second pwrite':
    os.pwrite = lambda *args: pwrite(*args) if next(count) < 1 else die()
  elif moment == 'fsync':
    os.fsync = die
  elif moment == 'link':
    os.link = die
  elif moment == 'after link':
    os.link = lambda *args: (link(*args), die())
  elif moment == 'sync_folder':
    folder.records.sync_folder = die
  elif moment == 'rename':
    os.rename = die
    bank.forget(NAME)
  elif moment == 'rmtree':
    folder.shutil.rmtree = die
    bank.forget(NAME)
  bank.put(NAME, state(moment), notes=dict(who=moment))


def write_on(path: str, writer: int, told: int) -> None:
  """Puts one state after another, and tells each that was put."""
  bank = store.Bank(path)
  for count in range(1_000_000):
    who = f'{writer}-{count}'
    number = bank.put(NAME, state(who), notes=dict(who=who))
    os.write(told, f'{number} {who}\n'.encode())


def begun(path: str, writer: int, told: int) -> int:
  child = os.fork()
  if not child:
    try:
      write_on(path, writer, told)
    finally:
      os._exit(1)
  return child


def at_random(path: str, kills: int, seed: int) -> None:
  """Kills one writer after another, and begins another in its place."""
  random_ = random.Random(seed)
  told = os.open(pathlib.Path(path).with_suffix('.told'), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
  writers = [begun(path, writer, told) for writer in range(WRITERS)]
  for kill in range(kills):
    time.sleep(random_.expovariate(1 / 0.03))
    killed = random_.randrange(WRITERS)
    os.kill(writers[killed], signal.SIGKILL)
    _, status = os.waitpid(writers[killed], 0)
    # One that had ended by itself had met an error.
    assert os.WIFSIGNALED(status), f'writer {killed} ended with {status}'
    writers[killed] = begun(path, WRITERS + kill, told)
  for writer in writers:
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)


if __name__ == '__main__':
  if sys.argv[1] == 'at':
    at(*sys.argv[2:])
  else:
    at_random(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
