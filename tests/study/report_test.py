"""A run's report is whole, needs nothing else, and says what it leaves out."""

import base64
import json
import re

import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.study import figures, report
from tests.study import fake_run, page_test


def test_the_report_holds_every_figure_and_refers_to_nothing_outside(tmp_path):
  run = fake_run.make(tmp_path / 'run', steps=200, sample='<b>sample</b>')
  path = report.write(run.path)
  assert path == run.path / 'report.html'
  read = page_test.Reader(path.read_text())
  files = {p.name: p.read_bytes() for p in run.figures.iterdir()}
  assert set(files) == {f'{name}.png' for name in (*figures.FIGURES, 'passage')}
  assert all(data.startswith(b'\x89PNG') for data in files.values())
  embedded = [base64.b64decode(r.removeprefix('data:image/png;base64,')) for r in read.refers]
  assert sorted(embedded) == sorted(files.values())
  assert not re.search(r'url\(|@import|https?://', path.read_text())
  assert '<b>sample</b>' in read.text and 'left out' not in read.text


def test_figures_see_every_measurement_of_their_split_in_order(tmp_path, monkeypatch):
  run = records.create(tmp_path / 'run', fake_run.config())
  for step in range(6):
    run.append(step, 'heldout' if step % 3 == 0 else 'train', bits=float(step))
  seen = {}
  def spy(metrics):
    seen.update({split: [row['bits'] for row in rows] for split, rows in metrics.items()})
    raise figures.Absent('a spy')
  monkeypatch.setattr(figures, 'FIGURES', dict(loss=(spy, '')))
  report.write(run.path)
  assert seen == dict(train=[1.0, 2.0, 4.0, 5.0], heldout=[0.0, 3.0])


def test_what_was_not_recorded_is_named_and_left_out(tmp_path):
  run = records.create(tmp_path / 'run', fake_run.config())
  for step in range(4):
    run.append(step, 'train', bits=3.0, loss=2.0)
  text = page_test.Reader(report.write(run.path).read_text()).text
  assert [p.name for p in run.figures.iterdir()] == ['loss.png']
  for name in ('positions', 'surprise', 'gates', 'norms', 'passage'):
    assert re.search(rf'{name}: no .* recorded', text)
  assert 'has not ended' in text


def test_numbers_that_were_not_finite_do_not_stop_the_report(tmp_path):
  run = records.create(tmp_path / 'run', fake_run.config())
  for step in range(3):
    run.append(step, 'train', bits=float('nan'), grad_norm=float('inf'))
    run.append(step, 'telemetry', surprise_before=[[float('nan')]], surprise_after=[[1.0]], forget=[[float('nan')]])
    run.append(step, 'heldout', bits_per_byte=float('nan'), by_position={'0-512': float('nan')})
  assert 'loss: no &#x27;bits&#x27; was recorded' in report.write(run.path).read_text()


def test_a_report_written_again_is_the_same_page(tmp_path):
  run = fake_run.make(tmp_path / 'run', steps=50)
  first = report.write(run.path).read_bytes()
  assert report.write(run.path).read_bytes() == first


def test_a_report_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
  run = fake_run.make(tmp_path / 'run', steps=50)
  before = report.write(run.path).read_bytes()
  def full(*_):
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(records.os, 'fsync', full)
  with pytest.raises(InputError, match='no space left'):
    report.write(run.path)
  assert (run.path / 'report.html').read_bytes() == before
  assert not [p for p in run.path.rglob('*.tmp')]


def test_no_run_folder_and_a_broken_passage_are_refused_by_name(tmp_path):
  with pytest.raises(InputError, match='no folder'):
    report.write(tmp_path / 'nowhere')
  run = records.create(tmp_path / 'run', {})
  (run.path / 'passage.json').write_text(json.dumps(fake_run.passage())[:-5])
  with pytest.raises(InputError, match='passage.json is not JSON'):
    report.write(run.path)
