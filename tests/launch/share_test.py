"""Arms of sharing are trained, scored with other slots too, asked over a bank, and put into one table; it goes on."""

import json

import pytest

from latentmem.bank.store import Bank
from latentmem.base import records
from launch import parts, shell
from launch.sharing import arms
from tests.launch.commands import launch, ROOT

SMALL = ('--config.train.steps=2', '--config.train.rows=4', '--config.evaluate.rows=4',
         '--config.data.heldout_examples=8', '--config.model.perception.width=8',
         '--config.model.reasoning.width=8', '--config.model.reasoning.memory.steps=1')
CONFIG = '--config=configs/share.py:objects=2'


@pytest.fixture(scope='module')
def told(tmp_path_factory):
  folder = tmp_path_factory.mktemp('share') / 'runs'
  done = launch('share', CONFIG, '--arms=halves,none', f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


@pytest.mark.slow
def test_every_arm_is_a_run_and_the_table_has_them_all(told):
  folder, said = told
  assert {p.name for p in folder.iterdir()} == {'halves-0', 'none-0', 'table.json', 'table.txt', 'table.png',
                                                'report.html'}
  rows = json.loads((folder / 'table.json').read_text())['rows']
  assert [row['arm'] for row in rows] == ['halves', 'none'] and (folder / 'table.txt').read_text() in said
  assert rows[1]['bits'] == 0 < rows[0]['bits'] and rows[1]['right'] == rows[1]['zeroed'] == rows[1]['shuffled']


@pytest.mark.slow
def test_agents_over_a_bank_answer_as_the_pair_does(told):
  folder, _ = told
  found = records.read_json(folder / 'halves-0' / 'answers.json')
  assert found['bank']['asked'] == found['own']['tokens'] == 48
  # Argmax of the same logits in programs of another shape: at most a tie may fall the other way.
  assert found['bank']['merged'] == pytest.approx(found['own']['accuracy'], abs=1.5 / 48)
  assert "['slot-0', 'slot-1'] differently" in found['bank']['refused']
  bank = Bank(folder / 'halves-0' / 'bank')
  assert bank.list() == ['apart', 'together'] and len(bank.get('apart')[0]) == 4 and len(bank.get('together')[0]) == 2


@pytest.mark.slow
def test_what_is_done_is_not_done_again(told):
  folder, _ = told
  stamp = (folder / 'halves-0' / 'answers.json').stat().st_mtime_ns
  done = launch('share', CONFIG, '--arms=halves', f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  assert (folder / 'halves-0' / 'answers.json').stat().st_mtime_ns == stamp


@pytest.mark.parametrize('args, message', [
    (('--config=configs/share.py', '--arms=slot'), "no arm 'slot' (did you mean 'slots'?)"),
    (('--config=configs/recall.py',), "models of the kind 'sharing'"),
    (('--config=configs/share.py', '--config.model.scene=42'), 'scene=42'),
    (('--config=configs/share.py:object=3',), "did you mean 'objects'")])
def test_what_does_not_fit_is_refused(args, message, tmp_path):
  done = launch('share', *args, f'--workdir={tmp_path}')
  assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr


def test_slots_and_text_pass_as_many_bits():
  config = shell.load(str(ROOT / 'configs/share.py')).to_dict()
  models = {arm: parts.build(arms.of(config, arm)).model for arm in arms.ARMS}
  assert len({it.passed_bits for it in models.values()}) == 1
  text = models['text']
  assert text.reasoning['memory']['slots'] * text.told_by * 8 == text.passed_bits
  assert models['halves'].views == 2 and models['none'].sent == 'zeroed'


@pytest.mark.parametrize('change, says', [
    (dict(model=dict(scene=42)), 'model.scene=42 does not fit the task'),
    (dict(train=dict(length=60)), 'train.length=60 does not fit'),
    (dict(data=dict(task=dict(kind='recall'))), "task 'scenes'; this is the task 'recall'")])
def test_rows_that_a_pair_would_read_wrongly_are_refused(change, says):
  config = shell.load(str(ROOT / 'configs/share.py')).to_dict()
  for part, fields in change.items():
    config[part] |= fields
  with pytest.raises(parts.InputError, match=says):
    parts.build(config)
