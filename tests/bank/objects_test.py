"""Places without locks and links keep whole versions, each number once."""

import threading
import uuid

import fsspec
from fsspec.implementations.memory import MemoryFileSystem
import numpy as np
import pytest

from latentmem.bank import folder, objects, store
from latentmem.bank import format as bank_format
from latentmem.base.errors import InputError

STATE = dict(a=np.arange(100.0))


class Elsewhere(MemoryFileSystem):
  """A place that writes a file piece by piece and gives no promise."""

  protocol = 'elsewhere'

  @classmethod
  def _strip_protocol(cls, path):
    return MemoryFileSystem._strip_protocol(path.replace('elsewhere://', 'memory://'))


fsspec.register_implementation('elsewhere', Elsewhere)


def path_of(protocol='memory'):
  return f'{protocol}://{uuid.uuid4()}/bank'


def test_what_a_path_is(tmp_path):
  assert isinstance(objects.at(tmp_path), folder.Folder)
  assert isinstance(objects.at(f'file://{tmp_path}/bank'), folder.Folder)
  assert isinstance(objects.at('memory://bank'), objects.Objects)
  with pytest.raises(InputError, match='is no place that fsspec knows'):
    objects.at('nowhere://bank')
  try:
    import s3fs  # noqa: F401
  except ImportError:
    with pytest.raises(InputError, match='s3://bucket/bank needs another package: .*s3fs'):
      objects.at('s3://bucket/bank')


@pytest.mark.parametrize('protocol', ['memory', 'elsewhere'])
def test_objects_lie_in_a_folder_each(protocol):
  path = path_of(protocol)
  bank = store.Bank(path)
  bank.put('x', STATE)
  bank.put('x', STATE)
  files = MemoryFileSystem().find(path.replace(protocol, 'memory'))
  assert [file.rpartition('bank/')[2] for file in files] == ['x/00000001.safetensors', 'x/00000002.safetensors']
  assert bank.list() == ['x'] and bank.versions('x') == [1, 2]
  bank.forget('x')
  assert bank.list() == [] and not MemoryFileSystem().find(path.replace(protocol, 'memory'))


def test_a_part_of_a_version_is_never_listed_and_its_number_not_given_again():
  path = path_of('elsewhere')
  bank = store.Bank(path)
  bank.put('x', STATE)
  whole = MemoryFileSystem().cat_file(bank._place._at('x', 1))
  for cut in (0, 5, 100, len(whole) - 1):
    MemoryFileSystem().pipe_file(bank._place._at('x', 2), whole[:cut])
    MemoryFileSystem().pipe_file(bank._place._at('y', 1), whole[:cut])
    assert bank.versions('x') == [1] and bank.list() == ['x']
  assert bank.put('x', STATE) == 3
  assert bank.versions('x') == [1, 3]
  assert np.array_equal(bank.get('x')[0]['a'], STATE['a'])


def test_writers_at_once_get_a_version_each():
  bank, got = store.Bank(path_of()), []
  def put(n):
    got.extend((bank.put('x', dict(n=np.array(n))), n) for _ in range(5))
  threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join(60)
  assert sorted(number for number, _ in got) == bank.versions('x') == list(range(1, 21))
  for number, n in got:
    assert bank.get('x', number)[0]['n'] == n


def test_a_number_that_is_taken_is_taken():
  place = objects.at(path_of())
  notes = {}
  assert place.add('x', STATE, notes) == 1
  with pytest.raises(folder.Taken):
    place.add('x', STATE, notes, 1)
  assert place.numbers('x') == [1]


def test_damage_is_refused_by_the_objects_name():
  bank = store.Bank(path_of())
  bank.put('x', STATE)
  at = bank._place._at('x', 1)
  content = bytearray(MemoryFileSystem().cat_file(at))
  content[-1] ^= 1
  MemoryFileSystem().pipe_file(at, bytes(content))
  with pytest.raises(InputError, match='memory://.*/bank/x/00000001.safetensors is damaged'):
    bank.get('x')
  MemoryFileSystem().pipe_file(at, bytes(content[:9]))
  for call in (bank.get, bank.header):
    with pytest.raises(InputError, match='cut short'):
      call('x')


def test_errors_of_a_store_are_told_in_one(monkeypatch):
  bank = store.Bank(path_of())
  bank.put('x', STATE)
  def broken(*_, **__):
    raise RuntimeError('no credentials')
  for call, name in ((bank.get, 'cat_file'), (bank.versions, 'find'), (bank.forget, 'rm_file'),
                     (lambda name: bank.put(name, STATE), 'pipe_file')):
    with monkeypatch.context() as spoilt:
      spoilt.setattr(bank._place._files, name, broken)
      with pytest.raises(InputError, match='memory://.* cannot be read or written: RuntimeError: no credentials'):
        call('x')
  def old(path, value):
    pass
  monkeypatch.setattr(bank._place._files, 'pipe_file', old)
  with pytest.raises(InputError, match='too old to create objects exclusively'):
    bank.put('x', STATE)


def test_a_store_and_a_folder_hold_the_same_bytes(tmp_path):
  for place in (objects.at(path_of()), objects.at(tmp_path)):
    place.add('x', STATE, dict(a='b'))
    arrays, notes = place.read('x', 1)
    assert np.array_equal(arrays['a'], STATE['a']) and notes['a'] == 'b'
  assert (tmp_path / 'x' / '00000001.safetensors').read_bytes() == bank_format.packed(STATE, dict(a='b'))
