"""launch.fit reads run folders alone, finds the laws that made them, and refuses what does not belong together."""

import json

import numpy as np
import pytest

from latentmem.base import records
from latentmem.study import scaling
from tests.launch.commands import launch

LAWS = dict(none=scaling.Law(1.2, 40.0, 300.0, 0.35, 0.37), titans=scaling.Law(1.1, 40.0, 300.0, 0.35, 0.37))


@pytest.fixture(scope='module')
def sweep(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sweep')
  rng = np.random.default_rng(0)
  for kind, law in LAWS.items():
    for n in (20_000, 60_000, 200_000, 600_000):
      for steps in (3000, 10_000, 30_000, 100_000):
        finished(folder / f'{kind}-{n}-{steps}', kind, n, steps, law.loss(n, steps * 64) * np.exp(0.002 * rng.normal()))
  records.create(folder / 'unfinished', config('titans', 7))
  return folder


def config(kind, steps):
  return dict(seed=0, model=dict(memory=dict(kind=kind)), train=dict(steps=steps, rows=8, length=8))


def finished(path, kind, n, steps, loss, data='a'):
  run = records.create(path, config(kind, steps))
  run.write('result.json', dict(heldout=dict(bits_per_byte=float(loss)), parameters=n, tokens=steps * 64, seed=0,
                                data=dict(fingerprint=data),
                                flops=(6 if kind == 'none' else 8) * n * steps * 64, seconds=1.0))
  return run


def test_the_laws_are_found_and_compared_at_equal_compute(sweep):
  done = launch('fit', f'--runs={sweep}', f'--out={sweep / "fit"}', '--draws=20')
  assert done.returncode == 0, done.stderr
  assert 'unfinished has not ended and is left out' in done.stdout
  report = json.loads((sweep / 'fit.json').read_text())
  for kind, law in LAWS.items():
    found = report['groups'][kind]
    assert found['runs'] == 16 and found['law']['E'] == pytest.approx(law.E, rel=0.1)
    low, high = found['intervals']['E']
    assert low <= law.E <= high
  assert [report['groups'][kind]['k'] for kind in LAWS] == pytest.approx([6, 8])
  for row in report['compared']:
    assert row['loss'] == pytest.approx(LAWS[row['group']].frontier(row['flops'], dict(none=6, titans=8)[row['group']]),
                                        rel=0.02)
  assert len(report['compared']) == 8
  assert (sweep / 'fit.txt').read_text() in done.stdout and (sweep / 'fit.png').stat().st_size > 10_000


@pytest.mark.parametrize('flags, said', [
    ([], 'There is no run to fit'), (['--runs=nowhere'], 'There is no folder nowhere'),
    (['--by=model.memory.kid'], "has no field 'model.memory.kid'")])
def test_what_cannot_be_fitted_is_refused(sweep, tmp_path, flags, said):
  runs = [] if not flags or flags[0].startswith('--runs') else [f'--runs={sweep}']
  done = launch('fit', *runs, *flags, f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and said in done.stderr and not list(tmp_path.iterdir())


def test_runs_of_other_data_are_not_pooled(tmp_path):
  finished(tmp_path / 'one', 'none', 10, 20, 1.0)
  finished(tmp_path / 'two', 'none', 10, 20, 1.0, data='b')
  done = launch('fit', f'--runs={tmp_path}', f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and 'one has bits_per_byte of the data a, two has' in done.stderr


def test_runs_that_have_not_ended_are_no_law(tmp_path):
  records.create(tmp_path / 'unfinished', config('titans', 7))
  done = launch('fit', f'--runs={tmp_path}', f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and 'None of 1 runs has ended' in done.stderr


def test_a_run_that_was_edited_is_named(tmp_path):
  run = finished(tmp_path / 'run', 'none', 10, 20, 1.0)
  run.write('config.json', config('none', 30))
  done = launch('fit', f'--runs={tmp_path}', f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and 'was edited' in done.stderr


def test_a_run_that_ended_with_enough_is_no_point_of_a_law(tmp_path):
  run = finished(tmp_path / 'run', 'none', 10, 20, 1.0)
  early = config('none', 30)
  early['train']['enough'] = 0.9
  run.write('config.json', early)
  done = launch('fit', f'--runs={tmp_path}', f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and 'ended by train.enough=0.9 after 1,280 of 1,920 tokens' in done.stderr


def test_a_run_whose_files_are_half_written_is_named(tmp_path):
  run = finished(tmp_path / 'run', 'none', 10, 20, 1.0)
  run.write('result.json', '{"heldout": ')
  done = launch('fit', f'--runs={tmp_path}', f'--out={tmp_path / "fit"}')
  assert done.returncode == 2 and 'result.json is not JSON' in done.stderr
