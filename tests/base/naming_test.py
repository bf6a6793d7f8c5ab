"""A file dropped into a room is a kind: found, filled, built, and misspellings refused."""

import sys

import pytest

from latentmem import memory
from latentmem.base import naming
from latentmem.base.errors import InputError

INTERFACE = '''
import dataclasses

@dataclasses.dataclass
class Base:
  size: int
  tags: list = dataclasses.field(default_factory=list)
'''
CIRCLE = '''
import dataclasses
from round.interface import Base
from round import tools

@dataclasses.dataclass
class Circle(Base):
  radius: float = 1.5
  unseen: int = dataclasses.field(default=3, init=False)
'''
DISC = '''
import dataclasses
from round.circle import Circle

@dataclasses.dataclass
class Disc(Circle):
  name: str = 'red'
'''
EMPTY = 'from round.circle import Circle'


@pytest.fixture
def room(tmp_path, monkeypatch):
  folder = tmp_path / 'round'
  folder.mkdir()
  files = dict(__init__='', interface=INTERFACE, circle=CIRCLE, disc=DISC, tools='', empty=EMPTY)
  for name, text in files.items():
    (folder / f'{name}.py').write_text(text)
  monkeypatch.syspath_prepend(tmp_path)
  yield naming.Room('round', shared=('tools',))
  for name in [name for name in sys.modules if name.split('.')[0] == 'round']:
    del sys.modules[name]


def test_kinds_are_files_but_for_the_interface_and_what_is_shared(room):
  assert room.kinds() == ['circle', 'disc', 'empty']


def test_fields_are_all_recorded_with_their_defaults(room):
  assert room.fields('disc', size=2) == dict(kind='disc', size=2, tags=[], radius=1.5, name='red')


def test_what_linen_adds_to_a_module_is_no_field():
  assert not {'name', 'parent'} & set(memory.fields('linear', width=8))


def test_defaults_are_not_shared_between_two_configs(room):
  room.fields('circle', size=2)['tags'].append('mine')
  assert room.fields('circle', size=2)['tags'] == []


def test_make_builds_the_kind(room):
  disc = room.make('disc', size=2, name='blue')
  assert type(disc).__name__ == 'Disc' and (disc.size, disc.radius, disc.name) == (2, 1.5, 'blue')
  assert type(room.make(**room.fields('circle', size=2))) is room.find('circle')


def test_an_imported_class_is_not_the_kind_of_the_file(room):
  assert room.find('disc').__name__ == 'Disc'
  with pytest.raises(TypeError, match='must define one Base, not 0'):
    room.find('empty')


def test_an_unknown_kind_is_refused_with_the_nearest(room):
  with pytest.raises(InputError, match="no 'circel' \\(did you mean 'circle'\\?\\)"):
    room.make('circel')


def test_an_unknown_field_is_refused_with_the_nearest(room):
  with pytest.raises(InputError, match="circle has no field 'raduis' \\(did you mean 'radius'\\?\\)"):
    room.make('circle', size=2, raduis=3)


def test_a_field_that_is_not_for_choosing_is_refused(room):
  with pytest.raises(InputError, match="no field 'unseen'"):
    room.make('circle', size=2, unseen=3)


def test_a_field_that_must_be_chosen_is_asked_for(room):
  with pytest.raises(InputError, match="circle needs \\['size'\\]"):
    room.make('circle')


def test_nothing_is_imported_until_asked_for(room):
  room.kinds()
  assert 'round.circle' not in sys.modules


def test_of_what_is_wanted_a_kind_takes_what_it_has():
  assert memory.known_fields('titans', chunk=8, forget_to='start') == dict(chunk=8, forget_to='start')
  assert memory.known_fields('none', chunk=8, forget_to='start', name='x', parent=None) == dict(chunk=8)


def test_file_names_are_such_and_stay_apart():
  assert naming.file_name('model.width=3, a/b é') == 'model.width=3_a_b_'
  long, other = (naming.file_name('x' * 300 + end) for end in 'ab')
  assert long != other and len(long) == len(other) < 100
