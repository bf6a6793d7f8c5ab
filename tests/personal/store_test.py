"""Profiles are kept whole, belong to one base, and are gone when they are erased."""

import dataclasses
import json
import os
import pathlib

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from latentmem.bank import format as files
from latentmem.base.errors import InputError
from latentmem.personal.profile import Fits, Item, Profile
from latentmem.personal.store import Store

FITS = Fits(dict(kind='lpm', heads=2), 'b' * 64, 's' * 64, dict(slots=(2, 3)), vocab=10, question=4, answer=3)
MARK = np.float32(0.7654321)


ITEMS = Item((1, 2), (3, 4)), Item((), (5, 6, 7))


def profile(name='ann', value=MARK, version=0):
  return Profile(name, dict(slots=np.full((2, 3), value, np.float32)), ITEMS, version)


def same(a, b):
  return a.items == b.items and a.arrays.keys() == b.arrays.keys() and all(
      np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)


def test_what_is_kept_comes_back(tmp_path):
  store = Store(tmp_path / 'p', FITS)
  kept = store.write(profile())
  assert kept.version == 1 and same(store.read('ann'), profile())
  assert store.names() == ['ann'] and Store(tmp_path / 'none', FITS).names() == []


def test_the_last_versions_are_kept(tmp_path):
  store = Store(tmp_path, FITS, keep=2)
  for value in range(4):
    store.write(profile(value=value, version=value))
  assert store.versions('ann') == [3, 4]
  assert store.read('ann').arrays['slots'][0, 0] == 3 and store.read('ann', 3).arrays['slots'][0, 0] == 2
  with pytest.raises(InputError, match=r'ann has no version 1; it has \[3, 4\]'):
    store.read('ann', 1)


def test_what_was_made_of_an_older_version_or_of_who_was_erased_is_not_kept(tmp_path):
  store = Store(tmp_path, FITS)
  store.write(profile())
  first = store.read('ann')
  store.write(first)
  with pytest.raises(InputError, match='ann is at version 2 meanwhile, and this was made of version 1'):
    store.write(first)
  second = store.read('ann')
  store.erase('ann')
  with pytest.raises(InputError, match='ann was erased meanwhile'):
    store.write(second)
  assert store.names() == []


def test_links_and_folders_are_not_followed_when_somebody_is_erased(tmp_path):
  precious = tmp_path / 'precious'
  precious.mkdir()
  (precious / '000001.safetensors').write_text('years of work')
  store = Store(tmp_path / 'p', FITS)
  store.write(profile())
  for place in (tmp_path / 'p' / 'ann' / 'link', tmp_path / 'p' / 'bob'):
    place.symlink_to(precious)
  for name in ('ann', 'bob'):
    with pytest.raises(InputError, match='links or folders that no profile has; nothing was erased'):
      store.erase(name)
  assert (precious / '000001.safetensors').read_text() == 'years of work' and store.versions('ann') == [1]


def test_what_is_left_of_an_erasing_that_was_killed_can_be_erased(tmp_path):
  (tmp_path / 'ann').mkdir()
  assert Store(tmp_path).erase('ann') == 0 and not (tmp_path / 'ann').exists()


def bytes_under(folder):
  return b''.join(path.read_bytes() for path in pathlib.Path(folder).rglob('*') if path.is_file())


def test_erasing_leaves_no_trace(tmp_path, monkeypatch):
  store = Store(tmp_path, FITS)
  for version, value in enumerate((MARK, MARK, 1)):
    store.write(profile(value=value, version=version))
  store.write(profile('bob', value=2))
  # What a process leaves that was killed while it wrote.
  (tmp_path / 'ann' / '.000004.safetensors.77.tmp').write_bytes(MARK.tobytes() * 9)
  assert MARK.tobytes() in bytes_under(tmp_path)
  overwritten = []
  unlink = pathlib.Path.unlink
  monkeypatch.setattr(pathlib.Path, 'unlink', lambda path, **k: (overwritten.append(not any(path.read_bytes())),
                                                                 unlink(path, **k))[1])
  # Who has lost the base can still erase.
  assert Store(tmp_path).names() == ['ann', 'bob'] and Store(tmp_path).erase('ann') == 4
  assert overwritten and all(overwritten)
  assert MARK.tobytes() not in bytes_under(tmp_path) and not any('ann' in str(p) for p in tmp_path.rglob('*'))
  assert store.names() == ['bob'] and same(store.read('bob'), profile('bob', 2))
  with pytest.raises(InputError, match="nobody by the name 'ann'; nothing was erased"):
    store.erase('ann')


def test_versions_that_are_no_longer_kept_are_overwritten(tmp_path):
  store = Store(tmp_path, FITS, keep=1)
  store.write(profile())
  linked = tmp_path / 'link'
  os.link(tmp_path / 'ann' / '000001.safetensors', linked)
  store.write(profile(value=1, version=1))
  assert not any(linked.read_bytes())


@pytest.mark.parametrize('name', ['', '.', '..', '../ann', 'a/b', 'a\\b', '/etc', '.ann', 'a\0b', 'a\nb', 'x' * 61,
                                  ' a', 'a ', '-f'])
def test_names_that_could_name_another_place_are_refused(tmp_path, name):
  store = Store(tmp_path / 'p', FITS)
  for use in (store.read, store.erase, store.versions, lambda name: store.write(profile(name)),
              lambda name: store.export(name, tmp_path / 'x')):
    with pytest.raises(InputError, match='is no name of a person'):
      use(name)
  assert list(tmp_path.iterdir()) == []


def test_names_of_all_the_world_are_taken(tmp_path):
  store = Store(tmp_path, FITS)
  for name in ('zoë@home', '李雷', 'user 7', 'a.b+c-d'):
    store.write(profile(name))
  assert store.names() == sorted(['zoë@home', '李雷', 'user 7', 'a.b+c-d'])


def test_export_and_import_are_one_file(tmp_path):
  store, other = Store(tmp_path / 'p', FITS), Store(tmp_path / 'q', FITS)
  store.write(profile())
  store.export('ann', tmp_path / 'ann.safetensors')
  assert same(other.take(tmp_path / 'ann.safetensors'), profile())
  assert same(other.take(tmp_path / 'ann.safetensors', 'eve'), profile()) and other.names() == ['ann', 'eve']
  with pytest.raises(InputError, match="knows 'ann' already"):
    other.take(tmp_path / 'ann.safetensors')


@pytest.mark.parametrize('other, said', [
    (dict(base='c' * 64), 'profile of another base'), (dict(shared='c' * 64), 'profile of another projection'),
    (dict(adapter=dict(kind='lora')), 'profile of the adapter'),
    (dict(shapes=dict(slots=(3, 2))), 'does not hold what'), (dict(vocab=5), 'has the token'),
    (dict(question=1), 'there is room for 1')])
def test_what_belongs_elsewhere_is_refused(tmp_path, other, said):
  Store(tmp_path / 'p', FITS).write(profile())
  there = Store(tmp_path / 'p', dataclasses.replace(FITS, **other))
  with pytest.raises(InputError, match=said):
    there.read('ann')
  elsewhere = Store(tmp_path / 'q', there.fits)
  with pytest.raises(InputError, match=said):
    elsewhere.take(next((tmp_path / 'p' / 'ann').glob('*.safetensors')))
  assert not (tmp_path / 'q').exists()


def forged(path, arrays=(), notes=()):
  """A good file of a bad profile."""
  held, said = files.read(path)
  said = {name: value for name, value in said.items() if name not in ('format', 'version', 'checksum')}
  files.write(path, held | dict(arrays), said | dict(notes))


@pytest.mark.parametrize('arrays, notes, said', [
    ({'memory/slots': np.full((2, 3), np.nan, np.float32)}, {}, 'not finite'),
    ({'memory/slots': np.zeros((2, 3), np.float64)}, {}, 'not float32'),
    ({'memory/slots': np.zeros((2, 4), np.float32)}, {}, 'does not hold what'),
    ({'memory/more': np.zeros(2, np.float32)}, {}, 'does not hold what'),
    ({'else': np.zeros(2, np.float32)}, {}, 'does not hold what'),
    ({'items/answers': np.zeros((1, 3), np.int32)}, {}, 'as many answers as questions'),
    ({'items/answers': np.full((2, 3), 11, np.int32)}, {}, 'has the token 11'),
    ({}, dict(profile_version='one'), 'which is no number'), ({}, dict(name='bob'), 'does not tell the truth'),
    ({}, dict(what='state'), 'is no profile')])
def test_a_file_that_lies_is_refused(tmp_path, arrays, notes, said):
  store = Store(tmp_path, FITS)
  store.write(profile())
  forged(tmp_path / 'ann' / '000001.safetensors', arrays, notes)
  with pytest.raises(InputError, match=said):
    store.read('ann')


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_one_clear_error(tmp_path_factory, data):
  folder = tmp_path_factory.mktemp('damage')
  store = Store(folder, FITS)
  store.write(profile())
  path = folder / 'ann' / '000001.safetensors'
  content = bytearray(path.read_bytes())
  if data.draw(st.booleans()):
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
  else:
    content = content[:data.draw(st.integers(0, len(content) - 1))]
  path.write_bytes(content)
  with pytest.raises(InputError):
    store.read('ann')


def test_items_are_edited_and_taken_away():
  it = profile()
  assert it.edited(0, (3, 9)).items == (Item((1, 2), (3, 9)), it.items[1]) and it.items[0].answer == (3, 4)
  assert it.without(0).items == it.items[1:]
  with pytest.raises(InputError, match='ann has no item 2; there are 2'):
    it.without(2)


def test_the_notes_can_be_read_by_anybody(tmp_path):
  Store(tmp_path, FITS).write(profile())
  content = (tmp_path / 'ann' / '000001.safetensors').read_bytes()
  notes = json.loads(content[8:8 + int.from_bytes(content[:8], 'little')])['__metadata__']
  assert notes['name'] == 'ann' and notes['base'] == FITS.base and json.loads(notes['adapter']) == FITS.adapter
