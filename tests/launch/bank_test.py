"""The command line of a bank: what people see, and what they are told where it cannot be."""

import json

import numpy as np
import pytest

from latentmem.bank import store
from tests.launch.commands import launch


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  path = tmp_path_factory.mktemp('bank') / 'bank'
  bank = store.Bank(path)
  bank.put('alice', dict(a=np.zeros((4, 4), np.float32), n=np.array(3)), kind='carry', when='2030-01-01T00:00:00+00:00')
  bank.put('alice', dict(a=np.full((4, 4), 2, np.float32), n=np.array(3)), onto=1, kind='carry', storage='int8')
  return path


def test_a_bank_is_looked_at_forked_merged_and_forgotten(path):
  call = lambda *args: launch('bank', f'--path={path}', *args)
  listed = call('list').stdout.split()
  assert listed[:2] == ['alice@2', 'carry'] and '2' in listed
  shown = json.loads(call('show', 'alice').stdout)
  assert shown['stored']['a']['kind'] == 'int8' and shown['parents'] == ['alice@1'] and shown['version'] == 2
  diff = call('diff', 'alice@1', 'alice').stdout.splitlines()
  assert [line.split()[0] for line in diff] == ['a', 'n']
  assert 'float32[4, 4]' in diff[0] and 'differs by 8, at most 2' in diff[0] and 'the same' in diff[1]
  assert call('fork', 'alice@1', 'bob').stdout == 'bob@1\n'
  assert call('merge', 'alice', 'bob', '--into=both').stdout == 'both@1\n'
  bank = store.Bank(path)
  assert bank.get('both')[0]['a'][0, 0] == 2 and bank.header('both').when
  assert call('forget', 'bob').returncode == 0
  assert bank.list() == ['alice', 'both']


@pytest.mark.parametrize('args, said', [
    (['lst'], "has no command 'lst' (did you mean 'list'?)"), ([], 'What is to be done is missing'),
    (['show'], 'show takes 1 names, not []'), (['merge', 'alice', 'alice@1'], '--into is missing'),
    (['show', 'alic'], "no object 'alic' (did you mean 'alice'?)"), (['forget', '../bank'], 'cannot name an object'),
    (['list', '--pth=x'], "Unknown command line flag 'pth'")])
def test_what_cannot_be_is_told_in_one_line(path, args, said):
  done = launch('bank', f'--path={path}', *args)
  assert done.returncode == 2 and said in done.stderr and 'Traceback' not in done.stderr
  assert 'alice' in store.Bank(path).list()


def test_a_damaged_object_does_not_hide_the_others(tmp_path):
  bank = store.Bank(tmp_path)
  for name in ('ann', 'bob', 'carl'):
    bank.put(name, dict(a=np.zeros(3)))
  place = bank._place.file('bob', 1)
  place.write_bytes(place.read_bytes()[:100])
  done = launch('bank', f'--path={tmp_path}', 'list')
  assert [line.split()[0] for line in done.stdout.splitlines()] == ['ann@1', 'bob@1', 'carl@1']
  assert done.returncode == 2 and "['bob'] cannot be read" in done.stderr and 'Traceback' not in done.stderr


def test_a_folder_that_is_not_there_is_told(tmp_path):
  done = launch('bank', f'--path={tmp_path / "bnk"}', 'list')
  assert done.returncode == 2 and 'There is no folder' in done.stderr
