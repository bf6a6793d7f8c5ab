"""Memories of conversations are trained on their turns, asked with their own and another's, and compared."""

import copy
import functools
import json

import jax
import numpy as np
import pytest

from configs import locomo as config_file
from latentmem import data, personal
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.data import spoken
from latentmem.personal.model import BASE
from latentmem.tasks import locomo
from latentmem.train import checkpoint
from latentmem.train.state import fresh_carry
from launch import parts
from launch.personalizing import arms, bases, comparison, profiles, reading, saying, told
from tests.launch.commands import launch
from tests.tasks.locomo_test import RECORD
from tests.train import small

ADAPTERS = dict(lpm=dict(heads=2, slots=3, slot_width=4, key_width=4), prompt=dict(tokens=2), none=dict(tokens=2))
KINDS = 'lpm', 'none'
SAY = 6


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Two conversations, some text, and a base that has read it."""
  folder = tmp_path_factory.mktemp('locomo')
  other = copy.deepcopy(RECORD)
  other['sample_id'] = 'conv-2'
  other['qa'][0]['answer'] = 'one dog'
  (folder / 'talk').mkdir()
  (folder / 'talk' / 'two.json').write_text(json.dumps([RECORD, other]))
  text_base(folder)
  return folder


def text_base(folder):
  """A run over some text, in folder/base."""
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
    told.check(arm.source)
    assert comparison.one(folder / 'runs' / f'{kind}-0', arm, 0, base, small.LeavesAt(-1), told, SAY)
  path = folder / 'runs'
  alone = [comparison.kept(path / f'turns-{turns}.json', base, arm.source,
                           functools.partial(comparison.turns, base, arm.source, turns)) for turns in (0, 2)]
  words = [comparison.kept(path / f'said-{turns}.json', base, arm.source,
                           functools.partial(comparison.spoken, base, arm.source, turns, SAY)) for turns in (0, 2)]
  return path, comparison.tell_of_conversations(path, KINDS, range(1), alone, base, words), arm.source


def test_every_arm_and_the_base_alone_are_in_the_table(compared):
  path, text, source = compared
  table = records.read_json(path / 'table.json')
  assert [row['arm'] for row in table['rows']] == [*KINDS, 'question alone', 'BM25, 2 turns']
  asked = sum(len(conversation.questions) for conversation in source.read)
  for row in table['rows']:
    assert row['asked'] == asked == 6 and set(row['by_type']) == {'single-hop', 'temporal', 'adversarial'}
  assert 'adversarial 50.0%' in text and (path / 'table.png').stat().st_size > 1000
  assert 'Slots of lpm-0' in (path / 'report.html').read_text()
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


def in_turn(read, row_T, ends_V):
  """The likeliest tokens, each read with all before it; `read` gives logits of a whole row."""
  said = []
  while len(said) < SAY and not (said and ends_V[said[-1]]):
    said.append(int(np.argmax(read(np.concatenate([row_T, np.array(said, np.int32)]))[-1])))
  return said + [NOTHING] * (SAY - len(said))


def test_what_is_said_are_the_likeliest_tokens(folder, base, compared):
  """With a cache, in one program: against reading everything anew for every token."""
  path, _, source = compared
  arm = arms.build(config_of(folder), 'lpm', base)
  _, params = checkpoint.load_params(path / 'lpm-0')
  variables = params | {BASE: base.params}
  rows_BT = saying.begun(source, source.asked())[:2]
  length = rows_BT.shape[1] + SAY

  def of_memory(row_T):
    filled = np.pad(row_T, (0, length - len(row_T)), constant_values=NOTHING)[None]
    return np.asarray(whole(variables, filled))[0, :len(row_T)]
  whole = jax.jit(lambda variables, row: arm.model.apply(variables, fresh_carry(arm.model, variables, 1), row)[1])
  # The likeliest first word ends a row, so that one is cut short.
  first = in_turn(of_memory, rows_BT[0], source.ends_V)[0]
  at_once_V = source.ends_V | (np.arange(source.vocab) == first)
  for ends_V in (source.ends_V, at_once_V):
    said_BA = saying.from_memory(arm.model, variables, rows_BT, ends_V, SAY)
    assert [in_turn(of_memory, row_T, ends_V) for row_T in rows_BT] == said_BA.tolist()
  assert said_BA[0].tolist() == [first] + [NOTHING] * (SAY - 1)

  text_T = source.transcript(source.read[0].turns[:2])
  reader = reading.Reader(base, len(text_T), source.asks.length, 1, 50)
  said_1A = reader.says(reader.history(text_T), rows_BT[:1], source.ends_V, SAY)
  alone = np.concatenate([text_T, rows_BT[0, 1:][rows_BT[0, 1:] >= 0]])
  length = len(alone) + SAY
  once = jax.jit(lambda tokens: reader.net.apply(reader.params, fresh_carry(reader.net, reader.params, 1), tokens)[1])
  of_base = lambda row_T: np.asarray(once(np.pad(row_T, (0, length - len(row_T)))[None]))[0, :len(row_T)]
  assert said_1A.tolist() == [in_turn(of_base, alone, source.ends_V)]


def test_what_ends_an_answer_is_its_last_token():
  """Where each number is followed by the next, and 3 ends an answer."""
  go_on = lambda carry, tokens_B1, mask_B1: (carry, jax.nn.one_hot(tokens_B1 + 1, 9))
  first_BV, ends_V = jax.nn.one_hot(np.array([1, 3, 5]), 9), jax.numpy.arange(9) == 3
  said_BA = reading.likeliest(go_on, (), first_BV, ends_V, 4)
  assert said_BA.tolist() == [[1, 2, 3, NOTHING], [3, NOTHING, NOTHING, NOTHING], [5, 6, 7, 8]]


def test_what_is_said_is_in_the_table_by_category(compared):
  path, text, source = compared
  said = records.read_json(path / 'table.json')['said']
  assert list(said) == ['lpm', 'lpm, swapped', 'none', 'none, swapped', 'question alone', 'BM25, 2 turns']
  assert said['none'] == said['none, swapped']
  for name, score in said.items():
    assert score['asked'] == 4 and set(score['by_type']) == {'single-hop', 'temporal', 'adversarial'}, name
  page = records.read_json(path / 'lpm-0' / 'said.json')
  assert page['longest'] == SAY and page['own']['examples']['single-hop']['answer'] == 'two cats'
  assert 'all but adversarial' in text and (path / 'said.png').exists()


def test_answers_that_were_not_said_are_said_later(folder, base, compared):
  """The same command with another --say trains nothing anew, and keeps the choices that were made."""
  path, _, _ = compared
  arm = arms.build(config_of(folder), 'none', base)
  stamp = (path / 'none-0' / 'answers.json').stat().st_mtime_ns
  assert comparison.one(path / 'none-0', arm, 0, base, small.LeavesAt(0), told, 2)
  assert records.read_json(path / 'none-0' / 'said.json')['longest'] == 2
  assert comparison.one(path / 'none-0', arm, 0, base, small.LeavesAt(0), told, SAY)
  assert (path / 'none-0' / 'answers.json').stat().st_mtime_ns == stamp


def test_answers_have_to_fit(compared):
  _, _, source = compared
  for longest in (-1, source.answer + 1):
    with pytest.raises(InputError, match=f'--say={longest} is no number of tokens from 0 to 40'):
      saying.check(source, longest)
  saying.check(source, 0)


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
           '--config.evaluate.rows=4', '--config.mesh.fsdp=1', '--arms=prompt', '--turns=2', '--say=3',
           f'--base={folder / "base"}')
  wrong = launch('locomo', *common, *sizes, '--config.data.answer=5')
  assert wrong.returncode == 2 and 'answer=11 would do' in wrong.stderr and 'Traceback' not in wrong.stderr
  done = launch('locomo', *common, *sizes)
  assert done.returncode == 0 and 'BM25, 2 turns' in done.stdout and 'F1 of what is said' in done.stdout, done.stderr
  again = launch('locomo', *common, *sizes)
  assert again.returncode == 0 and 'reads 2 turns' not in again.stdout
