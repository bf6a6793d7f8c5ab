"""A comparison: arms over seeds, each a run in one folder that is trained once; the same command goes on with it."""

from collections.abc import Callable, Iterable
import pathlib

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import loop, results
from latentmem.train.preemption import Preemption
from launch import shell

MOST_SEEDS = 2 ** 32


def seeds(config: dict, count: int, arms: list[str]) -> range:
  """The seeds of a comparison, from the config's on. Raises InputError where there is nothing to compare."""
  if not arms:
    raise InputError('--arms is empty; name one arm or more.')
  found = range(config['seed'], config['seed'] + count)
  if not found or not 0 <= found[0] <= found[-1] < MOST_SEEDS:
    raise InputError(f'--seeds={count} from seed {config["seed"]} on is no row of seeds of 0 to {MOST_SEEDS - 1}.')
  return found


def begun(workdir: str | None) -> pathlib.Path:
  """The folder of the comparison, runs/<config> unless one is named. Raises InputError where it cannot be written."""
  folder = pathlib.Path(workdir or f'runs/{shell.config_name()}')
  shell.writable(folder / 'table.json')
  return folder


def all_done(folder: pathlib.Path, arms: dict, seeds: Iterable[int], one: Callable[..., bool]) -> bool:
  """Calls one(path, arm, seed, preemption) for each, until one is asked to leave before its end -> whether none was."""
  with Preemption() as preemption:
    # Seed by seed, so that a comparison that was cut short has some of every arm.
    return all(one(folder / f'{name}-{seed}', arm, seed, preemption) for seed in seeds for name, arm in arms.items())


def trained(run, built, seed: int, preemption, frozen=None, prepare=None):
  """Trains a run, or goes on with it -> its parameters as they lie; None where it was asked to leave before its end.

  built: Has `model`, `source`, `train`, `evaluate` and `place`, as `parts.build` gives them.
  """
  print(f'Training into {run.path}', flush=True)
  done = loop.train(run, built.model, built.source, built.train, built.evaluate, seed, built.place, preemption,
                    frozen=frozen, prepare=prepare)
  if not done.done:
    return None
  run.result or results.finish(run, done, built.source)
  if below := results.below(run, built.train, done):
    print(below, flush=True)
  return done.state.params


def runs(folder: pathlib.Path, names: Iterable[str], seeds: Iterable[int], page: str = 'answers.json') -> list[str]:
  """Names of the runs of each arm that have a page; runs of other seeds may be of another config."""
  each = [f'{name}-{seed}' for name in names for seed in seeds]
  return [run for run in each if (folder / run / page).exists()]


def pages(folder: pathlib.Path, names: Iterable[str], seeds: Iterable[int],
          page: str = 'answers.json') -> dict[str, list[dict]]:
  """A page of the runs of each arm that have one."""
  return {name: [records.read_json(folder / run / page) for run in runs(folder, [name], seeds, page)]
          for name in names}


def keep(folder: pathlib.Path, record: dict, text: str, drawn: dict, made: list[str]) -> None:
  """Writes table.json, table.txt, a PNG of each figure and report.html.

  Args: drawn: {name: (caption, figure)}, the first named 'table'. made: The runs that it is of, by `runs`.
  """
  from latentmem.study import comparison
  records.write_json(folder / 'table.json', record)
  records.write_whole(folder / 'table.txt', text + '\n')
  comparison.write(folder, text, drawn, made)
