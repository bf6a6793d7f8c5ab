"""Several runs to one record: what docs/results keeps of them."""

from collections.abc import Iterable
import datetime
import json

from latentmem.base import records
from latentmem.base.errors import InputError

SHARED = ('commit', 'machine', 'versions')


def gather(paths: Iterable[str], command: str, note: str, date: datetime.date) -> dict:
  """The record of finished runs.

  Raises InputError for a folder that holds no run, a run that has not ended, and runs that differ in commit, machine
  or versions: their numbers do not belong in one table.
  """
  runs = [records.read(path) for path in paths]
  if not runs:
    raise InputError('There is no run to gather; give the folders of some.')
  results = [run.result for run in runs]
  for run, result in zip(runs, results):
    if result is None:
      raise InputError(f'{run.path} has not ended: it has no result.json. Give its command again to finish it.')
    for name in SHARED:
      if result[name] != results[0][name]:
        raise InputError(f'{run.path} and {runs[0].path} differ in {name}: {result[name]} and {results[0][name]}.')
  scores = [dict(name=run.path.name, **{k: v for k, v in result.items() if k not in (*SHARED, 'data')},
                 gradient=gradients(run), evaluations=evaluations(run), **answers(run))
            for run, result in zip(runs, results)]
  return dict(command=command, date=date.isoformat(), **{name: results[0][name] for name in SHARED}, scores=scores,
              note=note)


def gradients(run: records.Run) -> dict:
  """Largest and median norm of the outer gradient, and losses that were not finite."""
  rows = run.metrics('train')
  norms = sorted(row['grad_norm'] for row in rows if row['grad_norm'] is not None)
  return dict(largest=norms[-1] if norms else None, median=norms[len(norms) // 2] if norms else None,
              non_finite=sum(row['loss'] is None or row['grad_norm'] is None for row in rows))


def evaluations(run: records.Run) -> list[dict]:
  """What `launch.evaluate` found: the fields that it was given anew, and the scores."""
  found = [json.loads(path.read_text()) for path in sorted((run.path / 'evaluations').glob('*.json'))]
  return [{name: each[name] for name in ('step', 'overrides', 'heldout')} for each in found]


def answers(run: records.Run) -> dict:
  """What launchers found that ask a trained model: `answers`, `knock_outs`, `dialogue`."""
  pages = {name: run.path / f'{name}.json' for name in ('answers', 'knock_outs', 'dialogue')}
  return {name: json.loads(page.read_text()) for name, page in pages.items() if page.exists()}
