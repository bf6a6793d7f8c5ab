"""A folder keeps whole versions whatever writers die of, and nothing of what is forgotten."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from latentmem.bank import folder, store
from latentmem.bank import format as bank_format
from latentmem.base.errors import InputError
from tests import full_disk
from tests.bank import kills

ROOT = pathlib.Path(__file__).parents[2]
STATE = dict(a=np.arange(6.0))


def killed(path, *args) -> None:
  done = subprocess.run([sys.executable, '-m', 'tests.bank.kills', 'at', str(path), *args], cwd=ROOT,
                        capture_output=True, text=True, timeout=120)
  assert done.returncode == -signal.SIGKILL, done.stderr


def check_whole(bank, told=()):
  """Every version is whole and its writer's own; all that was told is there; nothing else is in the folder."""
  versions = bank.versions(kills.NAME)
  assert versions == list(range(1, len(versions) + 1))
  who = {}
  for version in versions:
    arrays, header = bank.get(kills.NAME, version)
    who[version] = header.notes['who']
    for name, want in kills.state(who[version]).items():
      assert np.array_equal(arrays[name], want), (version, name)
  for line in told:
    number, writer = line.split()
    assert who[int(number)] == writer
  assert len(set(who.values())) == len(who)


@pytest.mark.parametrize('moment', ['second pwrite', 'link', 'after link'])
def test_a_writer_killed_on_its_way_leaves_whole_versions(tmp_path, moment):
  check_killed_at(tmp_path, moment)


@pytest.mark.multiprocess
@pytest.mark.parametrize('moment', kills.MOMENTS)
def test_a_writer_killed_at_any_moment_leaves_whole_versions(tmp_path, moment):
  check_killed_at(tmp_path, moment)


def check_killed_at(tmp_path, moment):
  bank = store.Bank(tmp_path)
  bank.put(kills.NAME, kills.state('first'), notes=dict(who='first'))
  killed(tmp_path, moment)
  there = 2 if moment in kills.MOMENTS[-2:] else 1
  assert bank.versions(kills.NAME) == list(range(1, there + 1))
  check_whole(bank)
  assert bank.put(kills.NAME, kills.state('next'), onto=there, notes=dict(who='next')) == there + 1
  check_whole(bank)
  # What the dead one left is gone.
  assert len(os.listdir(tmp_path / kills.NAME)) == there + 1


@pytest.mark.parametrize('moment, there', [('rename', [kills.NAME]), ('rmtree', [])])
def test_forgetting_that_is_killed_is_done_or_not_and_leaves_no_trace(tmp_path, moment, there):
  bank = store.Bank(tmp_path)
  for who in 'ab':
    bank.put(kills.NAME, kills.state(who), notes=dict(who=who))
  killed(tmp_path, moment)
  assert bank.list() == there
  if there:
    check_whole(bank)
    assert len(bank.versions(kills.NAME)) == 2
  else:
    assert os.listdir(tmp_path)  # What was not yet removed,
    store.Bank(tmp_path)
    assert not os.listdir(tmp_path)  # and is when the bank is opened again.


@pytest.mark.multiprocess
def test_4_writers_of_one_name_killed_100_times_lose_nothing(tmp_path):
  path = tmp_path / 'bank'
  done = subprocess.run([sys.executable, '-m', 'tests.bank.kills', 'random', str(path), '100', '0'], cwd=ROOT,
                        capture_output=True, text=True, timeout=240)
  assert done.returncode == 0, done.stderr
  told = path.with_suffix('.told').read_text().splitlines()
  bank = store.Bank(path)
  check_whole(bank, told)
  # A version may be there that its writer did not live to tell; more cannot be than one a kill, and one at the end.
  assert len(told) <= len(bank.versions(kills.NAME)) <= len(told) + 104
  assert len(told) > 50
  version = bank.put(kills.NAME, kills.state('last'), notes=dict(who='last'))
  assert sorted(os.listdir(path / kills.NAME)) == [f'{n:08d}.safetensors' for n in range(1, version + 1)]


def together(count, call):
  threads = [threading.Thread(target=call, args=(n,)) for n in range(count)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join(60)
  assert not any(thread.is_alive() for thread in threads)


@pytest.fixture(params=['links', 'no links'])
def linking(request, monkeypatch):
  """A file system as it is, and one that knows no links."""
  if request.param == 'no links':
    def link(*_):
      raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    monkeypatch.setattr(os, 'link', link)


def test_writers_at_once_get_a_version_each(tmp_path, linking):
  got = []
  def put(n):
    for m in range(5):
      got.append((store.Bank(tmp_path).put(kills.NAME, kills.state(f'{n}-{m}'), notes=dict(who=f'{n}-{m}')), n, m))
  together(4, put)
  check_whole(store.Bank(tmp_path), [f'{number} {n}-{m}' for number, n, m in got])
  assert len(got) == 20 and len(os.listdir(tmp_path / kills.NAME)) == 20


def test_of_those_who_go_on_from_one_version_one_is_first(tmp_path, linking):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  got = []
  def put(n):
    try:
      got.append(bank.put('x', dict(a=np.full(3, float(n))), onto=1))
    except store.Conflict:
      got.append(None)
  together(6, put)
  assert sorted(got, key=str) == [2] + [None] * 5
  assert bank.versions('x') == [1, 2]


def test_a_place_that_a_dead_process_had_taken_is_free(tmp_path, monkeypatch):
  def link(*_):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
  monkeypatch.setattr(os, 'link', link)
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  (tmp_path / 'x' / '00000002.safetensors').touch()
  assert bank.versions('x') == [1]
  assert bank.put('x', STATE, onto=1) == 2
  assert bank.versions('x') == [1, 2]


def test_what_a_living_writer_writes_is_left_alone(tmp_path, monkeypatch):
  bank, pour = store.Bank(tmp_path), bank_format.pour
  got = []
  def slow(file, arrays, notes):
    monkeypatch.setattr(bank_format, 'pour', pour)
    got.append(bank.put('x', STATE))
    return pour(file, arrays, notes)
  monkeypatch.setattr(bank_format, 'pour', slow)
  got.append(bank.put('x', STATE))
  assert got == [1, 2] and len(os.listdir(tmp_path / 'x')) == 2


def test_what_is_written_while_its_object_is_forgotten_is_refused(tmp_path, monkeypatch):
  bank, pour = store.Bank(tmp_path), bank_format.pour
  bank.put('x', STATE)
  def meanwhile(file, arrays, notes):
    bank.forget('x')
    return pour(file, arrays, notes)
  monkeypatch.setattr(bank_format, 'pour', meanwhile)
  with pytest.raises(InputError, match='was forgotten while'):
    bank.put('x', STATE)
  assert bank.list() == [] and not os.listdir(tmp_path)


def test_forgotten_is_gone_with_what_dead_writers_left(tmp_path):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  bank.put('y', STATE)
  (tmp_path / 'x' / f'{folder.WRITTEN}dead').write_bytes(b'half')
  bank.forget('x')
  assert os.listdir(tmp_path) == ['y'] and bank.versions('y') == [1]
  assert bank.put('x', STATE, onto=0) == 1


@pytest.fixture
def small_files():
  with full_disk.small_files(8000):
    yield


def test_a_full_disk_leaves_the_bank_as_it_was(tmp_path, small_files):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  for name in ('x', 'new'):
    with pytest.raises(InputError, match='no space left to write.*8,000,000 bytes.*Free some space'):
      bank.put(name, dict(a=np.zeros(1_000_000)))
  assert bank.list() == ['x'] and bank.versions('x') == [1]
  assert os.listdir(tmp_path) == ['x'] and len(os.listdir(tmp_path / 'x')) == 1
  assert np.array_equal(bank.get('x')[0]['a'], STATE['a'])


@pytest.mark.parametrize('call', ['fsync', 'link'])
def test_a_disk_that_fails_at_the_end_leaves_the_bank_as_it_was(tmp_path, monkeypatch, call):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  def broken(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))
  monkeypatch.setattr(os, call, broken)
  with pytest.raises(InputError, match='Input/output error'):
    bank.put('x', STATE)
  assert os.listdir(tmp_path / 'x') == ['00000001.safetensors']


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(InputError, match='is a file; a bank is a folder'):
    store.Bank(tmp_path / 'file')
  with pytest.raises(InputError, match='cannot be read or written: Not a directory'):
    store.Bank(tmp_path / 'file' / 'below').put('x', STATE)
  for path, said in (('', "'' cannot name a folder"), ('a\0b', 'cannot name a folder'), ('x' * 300, 'name too long')):
    with pytest.raises(InputError, match=said):
      store.Bank(path)


def test_a_linked_object_is_not_forgotten_and_others_are(tmp_path):
  bank = store.Bank(tmp_path / 'bank')
  for name in ('linked', 'other'):
    bank.put(name, STATE)
  (tmp_path / 'bank' / 'linked').rename(tmp_path / 'elsewhere')
  (tmp_path / 'bank' / 'linked').symlink_to(tmp_path / 'elsewhere')
  with pytest.raises(InputError, match='is a link to .*elsewhere'):
    bank.forget('linked')
  bank.forget('other')
  assert bank.list() == ['linked'] and bank.get('linked')[1].version == 1


def test_what_an_older_forget_could_not_remove_does_not_stop_another(tmp_path):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  (tmp_path / f'{folder.FORGOTTEN}old').symlink_to(tmp_path / 'nowhere')
  bank.forget('x')
  assert bank.list() == [] and store.Bank(tmp_path).list() == []


def test_no_version_is_written_that_could_not_be_found(tmp_path):
  bank = store.Bank(tmp_path)
  bank.put('x', STATE)
  last = tmp_path / 'x' / '99999999.safetensors'
  (tmp_path / 'x' / '00000001.safetensors').rename(last)
  with pytest.raises(InputError, match='the last there is. Fork it'):
    bank.put('x', STATE)
  assert os.listdir(tmp_path / 'x') == [last.name]


def test_other_things_in_the_folder_are_no_objects(tmp_path):
  (tmp_path / 'thesis').mkdir()
  (tmp_path / 'thesis' / 'chapter').write_text('years of work')
  (tmp_path / 'x').mkdir()
  (tmp_path / 'x' / '00000001.safetensors').mkdir()
  (tmp_path / 'note').write_text('')
  bank = store.Bank(tmp_path)
  bank.put('y', STATE)
  assert bank.list() == ['y']
