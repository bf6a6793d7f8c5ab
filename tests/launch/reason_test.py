"""Arms are trained, answer, and are put into one table; what was cut short goes on."""

import json

import pytest

from latentmem.base import records
from tests.launch.commands import launch

SMALL = ('--config.train.steps=2', '--config.train.rows=4', '--config.evaluate.rows=4', '--config.reason.problems=6',
         '--config.data.heldout_examples=4', '--config.reason.longest=3', '--config.model.width=16',
         '--config.model.layers=1', '--config.data.task.stages=2')


@pytest.fixture(scope='module')
def told(tmp_path_factory):
  folder = tmp_path_factory.mktemp('reason') / 'runs'
  done = launch('reason', '--config=configs/reason.py:arithmetic', '--arms=cot,feedback', f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


def test_every_arm_is_a_run_and_the_table_has_them_all(told):
  folder, said = told
  assert {p.name for p in folder.iterdir()} == {'cot-0', 'feedback-0', 'table.json', 'table.txt', 'table.png',
                                                'report.html'}
  table = json.loads((folder / 'table.json').read_text())
  assert [row['arm'] for row in table['rows']] == ['cot', 'feedback']
  assert all(records.read(folder / f'{arm}-0').result for arm in ('cot', 'feedback'))
  assert (folder / 'table.txt').read_text() in said


def test_answers_say_what_they_cost(told):
  cot, feedback = (records.read_json(told[0] / f'{arm}-0' / 'answers.json') for arm in ('cot', 'feedback'))
  for run in (cot, feedback):
    assert run['problems'] == 6 and 0 <= run['right'] <= 6 and run['said'] <= 4 and run['seconds'] > 0
  assert cot['thoughts'] == 0 and feedback['thoughts'] == 2
  costs = feedback['costs']
  assert feedback['passes'] == 1 + feedback['said']
  after = costs['thought'] + costs['first'] + (feedback['said'] - 1) * costs['token']
  assert feedback['flops_after'] == pytest.approx(after)
  assert feedback['flops'] == pytest.approx(after + costs['question'])
  assert len(feedback['size_of_thought']) == 2 and min(feedback['size_of_thought']) > 0


def test_what_is_done_is_not_done_again_and_the_rest_is(told):
  folder, _ = told
  stamp = (folder / 'cot-0' / 'answers.json').stat().st_mtime_ns
  done = launch('reason', '--config=configs/reason.py:arithmetic', '--arms=cot,none', f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  assert (folder / 'cot-0' / 'answers.json').stat().st_mtime_ns == stamp
  assert [row['arm'] for row in json.loads((folder / 'table.json').read_text())['rows']] == ['cot', 'none']


@pytest.mark.slow
def test_what_is_held_is_left_out_where_it_is_asked_for(told):
  folder, _ = told
  again = ('--config=configs/reason.py:arithmetic', f'--workdir={folder}', *SMALL)
  assert launch('reason', *again, '--arms=feedback,state').returncode == 0
  before = (folder / 'state-0' / 'answers.json').stat().st_mtime_ns
  done = launch('reason', *again, '--arms=feedback,state', '--knock_outs')
  assert done.returncode == 0, done.stderr
  assert (folder / 'state-0' / 'answers.json').stat().st_mtime_ns == before
  found = records.read_json(folder / 'state-0' / 'knock_outs.json')
  assert [(f['without'], f['write_until']) for f in found] == [
      ('read', 0), ('write', 0), ('forget', 0), ('', 1), ('', 2)]
  assert all(0 <= f['right'] <= f['problems'] == 6 for f in found)
  assert not (folder / 'feedback-0' / 'knock_outs.json').exists()
  assert 'state, left without parts: ' in done.stdout and 'no read' in done.stdout and 'until thought 2' in done.stdout


def test_an_unknown_arm_and_a_config_of_another_kind_are_refused(tmp_path):
  for args, message in ((('--config=configs/reason.py', '--arms=sate'), "no arm 'sate' (did you mean 'state'?)"),
                        (('--config=configs/recall.py',), 'needs a config with a part `reason`'),
                        (('--config=configs/reason.py', '--config.reason.longest=0'), 'reason.longest=0; it must be')):
    done = launch('reason', *args, f'--workdir={tmp_path}')
    assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr
