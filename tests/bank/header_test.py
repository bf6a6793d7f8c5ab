"""What is said of a version is read as it was said, or refused."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from latentmem.bank import format as bank_format
from latentmem.bank import header as bank_header
from latentmem.bank import storage
from latentmem.base.errors import InputError

PARENT = bank_header.Parent('mother', 2, 'c' * 64)
SAID = dict(name='x', kind='carry', fields=dict(width=4, memory=dict(kind='titans')), fingerprint='ab',
            parents=(PARENT,), when='2030-01-31T12:00:00', stored={}, notes=dict(position=7), library=dict(numpy='2'))
ARRAYS = dict(a=np.zeros((2, 3), np.float32), b=np.zeros(4, np.int8))
ABOUT = dict(format=bank_format.FORMAT, version=bank_format.VERSION, checksum='d' * 64)


def decoded(notes, arrays=ARRAYS):
  return bank_header.decoded('file', 'x', 3, arrays, ABOUT | notes)


def test_a_header_is_read_as_it_was_said():
  got = decoded(bank_header.encoded(**SAID))
  assert {name: getattr(got, name) for name in SAID} == SAID
  assert got.arrays == dict(a=('F32', (2, 3)), b=('I8', (4,)))
  assert (got.version, got.checksum, got.bytes, str(got)) == (3, 'd' * 64, 28, 'x@3')


def test_arrays_are_said_as_they_were_put():
  written, stored = storage.store(dict(a=np.ones((8, 8), np.float32), n=np.arange(3)), 'int8')
  got = decoded(bank_header.encoded(**SAID | dict(stored=stored)), written)
  assert got.arrays == dict(a=('F32', (8, 8)), n=('I64', (3,))) and got.stored == stored
  assert got.bytes == 64 + 4 + 24


@pytest.mark.parametrize('name', ['a', 'A9', 'first-run_3.5+=', 'x' * 100])
def test_names(name):
  assert bank_header.check_name(name) == name
  assert bank_header.reference(name) == (name, None)
  assert bank_header.reference(f'{name}@12') == (name, 12)


BAD = ['', '.', '..', '../x', 'a/b', '/etc', 'a\\b', '.hidden', '-x', 'a b', 'a\n', 'a\x00', 'ä', 'x' * 101, 'a@1', '@',
       'x' * 10**6, None, 3, b'a']


@pytest.mark.parametrize('name', BAD, ids=lambda name: ascii(name)[:20])
def test_names_that_lead_elsewhere_are_refused(name):
  with pytest.raises(InputError, match='cannot name an object') as error:
    bank_header.check_name(name)
  assert str(error.value).isprintable() and len(str(error.value)) < 400


@pytest.mark.parametrize('said', ['a@', 'a@0', 'a@-1', 'a@x', 'a@1@2', 'a@999999999', 'a@1\n', '@3', 'a/../b@3'])
def test_references_that_mean_nothing_are_refused(said):
  with pytest.raises(InputError, match='names no version|cannot name an object'):
    bank_header.reference(said)


@given(st.text(max_size=20))
@settings(deadline=None)
def test_whatever_is_taken_for_a_name_stays_in_its_folder(text):
  try:
    bank_header.check_name(text)
  except InputError:
    return
  assert text.isascii() and text.isprintable() and not set(text) & set('/\\:@ ') and text[0].isalnum()


@pytest.mark.parametrize('part, value, said', [
    ('notes', dict(a=object()), 'JSON'), ('notes', dict(a=float('nan')), 'JSON'), ('notes', [1], 'notes is a dict'),
    ('fields', {3: 4}, 'fields is a dict'), ('kind', 3, 'kind is text'),
    ('kind', '\x1b[2J', 'without control characters'), ('fingerprint', None, 'fingerprint is text')])
def test_what_cannot_be_said_is_refused(part, value, said):
  with pytest.raises(InputError, match=said):
    bank_header.encoded(**SAID | {part: value})


def with_said(**changed):
  said = json.loads(bank_header.encoded(**SAID)[bank_header.NOTE])
  return {bank_header.NOTE: json.dumps(said | changed)}


@pytest.mark.parametrize('notes', [
    {}, {bank_header.NOTE: '{'}, {bank_header.NOTE: '[1]'}, {bank_header.NOTE: 'null'}, {bank_header.NOTE: '[' * 9999},
    with_said(kind=3), with_said(when='\n'), with_said(parents=[['a', 1]]), with_said(parents=[['a', 0, 'c']]),
    with_said(parents=[[1, 1, 'c']]),
    with_said(parents=3), with_said(more=1), with_said(version=9), with_said(fields=[]), with_said(stored=[]),
    with_said(stored=dict(a=['int8', 'F32', '', 0, 0])), with_said(stored=dict(a=['bfloat16', 'F32', 'b', 0, 0])),
    with_said(stored=dict(z=['bfloat16', 'F32', '', 0, 0])), with_said(stored=dict(a=['bfloat16', 'I8', '', 0, 0])),
    with_said(stored=dict(a=['bfloat16', 'F32', '', float('nan'), 0])),
    with_said(stored=dict(a=['no', 'F32', '', 0, 0])),
    with_said(stored=dict(a=['bfloat16', 'F32', '', -1, 0])), with_said(stored=dict(a=[['x'], 'F32', '', 0, 0]))])
def test_a_header_that_makes_no_sense_is_refused(notes):
  with pytest.raises(InputError, match='file is no object of a bank'):
    decoded(notes)


def test_a_file_under_another_name_is_refused():
  with pytest.raises(InputError, match="holds a version of 'y', not of 'x'"):
    decoded(with_said(name='y'))


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6)


@given(st.sampled_from(sorted(SAID)), anything)
@settings(deadline=None)
def test_a_hostile_header_is_refused_or_sound(part, value):
  try:
    got = decoded(with_said(**{part: value}))
  except InputError:
    return
  assert all(isinstance(parent, bank_header.Parent) and parent.version > 0 for parent in got.parents)
  assert got.name == 'x' and isinstance(got.notes, dict) and got.stored.keys() <= got.arrays.keys()


def test_a_wrong_reader_is_told_what_differs():
  header = decoded(bank_header.encoded(**SAID))
  check = lambda **asked: bank_header.check_written_by(
      header, 'bank', **dict(kind=None, fields=None, fingerprint=None) | asked)
  check()
  check(kind='carry', fields=SAID['fields'], fingerprint='ab')
  with pytest.raises(InputError, match="x@3 of bank is a 'carry', not a 'titans'"):
    check(kind='titans')
  with pytest.raises(InputError, match='memory.kind is \'titans\' there, \'slots\' here'):
    check(fields=dict(width=4, memory=dict(kind='slots')), fingerprint='cd')
  with pytest.raises(InputError, match='fingerprint is ab, this one\'s cd'):
    check(fields=SAID['fields'], fingerprint='cd')
