"""Whatever a file holds, it is read or refused in one sentence that says where."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import files


def test_text_is_read_with_or_without_a_mark(tmp_path):
  path = tmp_path / 'text'
  for raw in (b'na\xc3\xafve', b'\xef\xbb\xbfna\xc3\xafve'):
    path.write_bytes(raw)
    assert files.text_of(path) == 'na\xefve'


def test_what_cannot_be_read_is_refused(tmp_path):
  (tmp_path / 'latin').write_bytes(b'na\xefve')
  with pytest.raises(InputError, match='latin is not UTF-8 text: .* at byte 2'):
    files.text_of(tmp_path / 'latin')
  with pytest.raises(InputError, match='none. cannot be read: No such file'):
    files.text_of(tmp_path / 'none')
  with pytest.raises(InputError, match='cannot be read: Is a directory'):
    files.text_of(tmp_path)
  with pytest.raises(InputError, match='cannot be read'):
    files.text_of('a\0b')


@pytest.mark.parametrize('text', ['', '{', '[1,]', '[' * 100_000, '1' * 5000, 'NaN', '[-Infinity]'])
def test_what_is_no_json_is_refused(text):
  with pytest.raises(InputError, match='here is not JSON'):
    files.json_of(text, 'here')


def test_a_key_that_stands_twice_is_refused():
  with pytest.raises(InputError, match="here is not JSON: the key 'b' stands twice in one object"):
    files.json_of('[{"a": {"b": 1, "b": 1}}]', 'here')
  assert files.json_of('[{"a": 1}, {"a": 2}]', 'here') == [dict(a=1), dict(a=2)]


def test_a_key_is_there_and_of_its_kind():
  assert files.need(dict(a=1), 'a', (int, str), 'here') == 1
  with pytest.raises(InputError, match="here has no 'speaker' .did you mean 'speakr'..; it has .'speakr'"):
    files.need(dict(speakr=1), 'speaker', str, 'here')
  with pytest.raises(InputError, match="here, 'a': this is a bool, not a int"):
    files.need(dict(a=True), 'a', int, 'here')
  with pytest.raises(InputError, match="here: this is a list, not a dict"):
    files.need([], 'a', int, 'here')
  with pytest.raises(InputError, match="here, 'a': half a letter .a lone surrogate, character 2"):
    files.need(dict(a='ab\ud800'), 'a', str, 'here')
  assert files.need(dict(a='\U0001f600'), 'a', str, 'here') == '\U0001f600'


def test_a_key_that_is_nearly_another_is_refused():
  known = 'text', 'caption'
  with pytest.raises(InputError, match="here has a key 'captoin' .did you mean 'caption'"):
    files.check_spelling(dict(text=1, captoin=2), known, 'here')
  for record in (dict(text=1), dict(text=1, caption=2, captoin=3), dict(text=1, whatever=2)):
    files.check_spelling(record, known, 'here')


@given(st.text())
def test_any_text_is_json_or_refused(text):
  try:
    files.json_of(text, 'here')
  except InputError:
    pass
