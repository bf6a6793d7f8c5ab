"""Memories of conversations are trained on their turns, asked with their own and another's, and compared."""

import copy
import functools
import json

import numpy as np
import pytest

from configs import locomo as config_file
from latentmem import data, personal
from latentmem.base import records
from latentmem.data import spoken
from latentmem.tasks import locomo
from launch import parts
from launch.personalizing import arms, bases, comparison, profiles, told
from tests.launch.commands import launch
from tests.tasks.locomo_test import RECORD
from tests.train import small

ADAPTERS = dict(lpm=dict(heads=2, slots=3, slot_width=4, key_width=4), prompt=dict(tokens=2), none=dict(tokens=2))
KINDS = 'lpm', 'none'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Two conversations, some text, and a base that has read it."""
  folder = tmp_path_factory.mktemp('locomo')
  other = copy.deepcopy(RECORD)
  other['sample_id'] = 'conv-2'
  other['qa'][0]['answer'] = 'one dog'
  (folder / 'talk').mkdir()
  (folder / 'talk' / 'two.json').write_text(json.dumps([RECORD, other]))
  (folder / 'texts').mkdir()
  for i in range(40):
    (folder / 'texts' / f'{i}.txt').write_text(f'Text number {i}. ' * 9)
  config = config_file.get_config('base').to_dict()
  config['mesh']['fsdp'] = 1
  config['model'] |= dict(width=16, layers=1, heads=2, kv_heads=1, hidden=16, context=64)
  config['data'] = data.fields(dict(kind='corpus', corpus=f'files:{folder / "texts"}', tokens='bytes'))
  config['train'] |= dict(steps=40, rows=4, length=32, learning_rate=1e-2, warmup=1, save_every=0, evaluate_every=0)
  config['evaluate'] |= dict(rows=1, length=32)
  small.run(folder / 'base', config)
  return folder


@pytest.fixture(scope='module')
def base(folder):
  return bases.load(str(folder / 'base'), parts.mesh(1, 1))


def config_of(folder):
  config = config_file.get_config('arms').to_dict()
  config['mesh']['fsdp'] = 1
  config['data'] = data.fields(dict(kind='conversations', path=str(folder / 'talk'), question=60, answer=40))
  config['train'] |= dict(steps=3, rows=4, save_every=0, evaluate_every=2)
  config['evaluate'] |= dict(rows=4)
  config['personal'] |= {kind: personal.fields(kind, **fields) for kind, fields in ADAPTERS.items()}
  return config


@pytest.fixture(scope='module')
def compared(folder, base):
  """A comparison."""
  for kind in KINDS:
    arm = arms.build(config_of(folder), kind, base)
    assert comparison.one(folder / 'runs' / f'{kind}-0', arm, 0, base, small.LeavesAt(-1), told)
  path = folder / 'runs'
  alone = [comparison.kept(path / f'turns-{turns}.json', base, arm.source,
                           functools.partial(comparison.turns, base, arm.source, turns)) for turns in (0, 2)]
  return path, comparison.tell_of_conversations(path, KINDS, range(1), alone, base), arm.source


def test_every_arm_and_the_base_alone_are_in_the_table(compared):
  path, text, source = compared
  table = records.read_json(path / 'table.json')
  assert [row['arm'] for row in table['rows']] == [*KINDS, 'question alone', 'BM25, 2 turns']
  asked = sum(len(conversation.questions) for conversation in source.read)
  for row in table['rows']:
    assert row['asked'] == asked == 6 and set(row['by_type']) == {'single-hop', 'temporal', 'adversarial'}
  assert 'adversarial 50.0%' in text and (path / 'table.png').stat().st_size > 1000
  assert np.shape(records.read_json(path / 'lpm-0' / 'slots.json')['map']['points']) == (2, 2 * 3, 2)


def test_no_memory_of_its_own_answers_the_same_with_anothers(compared):
  path, _, _ = compared
  none, lpm = (records.read_json(path / f'{kind}-0' / 'answers.json') for kind in ('none', 'lpm'))
  assert none['own'] == none['swapped']
  assert lpm['own']['bits_per_byte'] != lpm['swapped']['bits_per_byte']


def test_turns_before_a_question_change_what_is_likely(compared):
  path, _, source = compared
  alone, behind = (records.read_json(path / f'turns-{n}.json') for n in (0, 2))
  assert alone['text'] == 0 and behind['text'] > 90 and alone['bits_per_byte'] != behind['bits_per_byte']


def test_the_likeliest_byte_by_byte_is_chosen():
  """Three options of 2, 4 and 1 bytes; then two that are even."""
  row = lambda size: dict(bytes_BT=np.array([0, size]))
  asked = [spoken.Asked(0, 'temporal', '', [row(2), row(4), row(1)], 1),
           spoken.Asked(0, 'multi-hop', '', [row(1), row(1)], 1)]
  found = told.result(asked, [3.0, 4.0, 2.0, 1.0, 1.0])
  assert found['by_type']['temporal'] == dict(accuracy=1.0, asked=1, chance=1 / 3,
                                              bits_per_byte=pytest.approx(1 / np.log(2)))
  assert found['accuracy'] == 0.5 and found['chance'] == pytest.approx(5 / 12)


def test_another_memory_is_asked_the_same(compared):
  _, _, source = compared
  own, other = source.asked(), source.asked(1)
  for mine, theirs in zip(own, other, strict=True):
    for row, swapped in zip(mine.rows, theirs.rows, strict=True):
      assert {row['tokens_BT'][0], swapped['tokens_BT'][0]} == {source.vocab, source.vocab + 1}
      np.testing.assert_array_equal(row['tokens_BT'][1:], swapped['tokens_BT'][1:])
  options, right = locomo.choices(source.read[0], 0)
  said = own[0].rows[right]['targets_BT'][own[0].rows[right]['weights_BT'] > 0]
  assert source.coder.decode(said) == f' {options[right]}\n' == ' two cats\n'


def test_a_profile_may_belong_to_a_run_about_conversations(compared, tmp_path):
  room = profiles.opened(str(compared[0] / 'lpm-0'), str(tmp_path))
  asked, options = 'What did Ann adopt?', ['two cats', 'one dog']
  item = room.wording.item(asked, options, 'two cats', 'here')
  assert compared[2].coder.decode([*item.question, *item.answer]) == f'Question: {asked}\nAnswer: two cats\n'
  # Options are not listed: the likeliest by its bytes is what is recalled.
  assert room.wording.size('two cats') == len(' two cats\n')
  kept = profiles.absorb(room, 'ann', [item], 3)
  nats = room.writer.nats(kept, [room.wording.item(asked, options, option, 'here') for option in options])
  likeliest = options[int(np.argmin(nats / [len(f' {option}\n') for option in options]))]
  assert profiles.recall(room, 'ann', asked, options) == likeliest


@pytest.mark.slow
def test_the_command(folder, compared):
  common = ('--config=configs/locomo.py:arms', f'--config.data.path={folder / "talk"}',
            f'--workdir={folder / "by-command"}')
  wrong = launch('locomo', *common)
  assert wrong.returncode == 2 and '--base=FOLDER' in wrong.stderr
  sizes = ('--config.data.question=60', '--config.data.answer=40', '--config.train.steps=2', '--config.train.rows=4',
           '--config.evaluate.rows=4', '--config.mesh.fsdp=1', '--arms=prompt', '--turns=2',
           f'--base={folder / "base"}')
  wrong = launch('locomo', *common, *sizes, '--config.data.answer=5')
  assert wrong.returncode == 2 and 'answer=11 would do' in wrong.stderr and 'Traceback' not in wrong.stderr
  done = launch('locomo', *common, *sizes)
  assert done.returncode == 0 and 'BM25, 2 turns' in done.stdout, done.stderr
  again = launch('locomo', *common, *sizes)
  assert again.returncode == 0 and 'reads 2 turns' not in again.stdout
