"""A comparison's page has its table, figures and slots, leads to its runs, and needs nothing else."""

import base64
import json
import re

from matplotlib.figure import Figure

from latentmem.study import comparison
from tests.study import page_test, slots_test

TEXT = 'arm right\nlpm 80.0%\n<b>none</b> 25.0%'
SLOTS = 'Slots of all people'


def figure():
  made = Figure(figsize=(2, 1))
  made.subplots()
  return made


def written(folder, slots=(), reports=('lpm-0', 'lpm-1')):
  """A comparison of three runs."""
  runs = ['none-0', 'lpm-0', 'lpm-1']
  for run in runs:
    (folder / run).mkdir(parents=True)
  for run in slots:
    (folder / run / 'slots.json').write_text(json.dumps(slots_test.told()))
  for run in reports:
    (folder / run / 'report.html').write_text('')
  return comparison.write(folder, TEXT, dict(table=('Right answers.', figure()), lengths=('Over length.', figure())),
                          runs)


def test_the_page_holds_the_table_every_figure_and_the_way_to_each_run(tmp_path):
  path = written(tmp_path / 'two')
  assert path == tmp_path / 'two' / 'report.html'
  read = page_test.Reader(path.read_text())
  leads = [each for each in read.refers if not each.startswith('data:')]
  assert leads == ['./lpm-0/report.html', './lpm-1/report.html']
  assert all((path.parent / each).exists() for each in leads)
  images = [base64.b64decode(each.removeprefix('data:image/png;base64,')) for each in read.refers[:2]]
  assert images == [(path.parent / f'{name}.png').read_bytes() for name in ('table', 'lengths')]
  assert TEXT in read.text and 'Over length.' in read.text and SLOTS not in read.text
  assert not re.search(r'url\(|@import|https?://', path.read_text())


def test_the_first_run_with_slots_is_looked_at(tmp_path):
  read = page_test.Reader(written(tmp_path / 'two', slots=('lpm-0', 'lpm-1')).read_text())
  assert 'Slots of lpm-0' in read.text and 'Slots of lpm-1' not in read.text and read.text.count(SLOTS) == 1
  assert 'Where questions of each type look' in read.text and 'The word nearest' in read.text
  assert read.tags.count('img') == 2 + 3


def test_a_comparison_without_pages_of_its_runs_leads_nowhere(tmp_path):
  read = page_test.Reader(written(tmp_path / 'two', reports=()).read_text())
  assert 'a' not in read.tags and 'Runs' not in read.text


def test_names_are_no_markup(tmp_path):
  folder = tmp_path / '<i>'
  (folder / 'a"b #1').mkdir(parents=True)
  (folder / 'a"b #1' / 'report.html').write_text('')
  read = page_test.Reader(comparison.write(folder, '', {}, ['a"b #1']).read_text())
  assert 'i' not in read.tags and read.refers == ['./a%22b%20%231/report.html'] and 'a"b #1' in read.text
