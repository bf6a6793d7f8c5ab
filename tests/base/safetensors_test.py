"""Arrays come back by name, one at a time; a header that lies is found out before any data are read."""

import json
import struct

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import ml_dtypes
import numpy as np
import pytest

from latentmem.base import safetensors
from latentmem.base.errors import InputError

ARRAYS = {
    'model.a': np.arange(6, dtype=np.float32).reshape(2, 3), 'b': np.array([[True, False]]),
    'c': np.array([1.5, -2.0], ml_dtypes.bfloat16), 'd': np.zeros((0, 4), np.float16), 'e': np.array(7, np.int64),
}


def content_of(arrays, notes):
  head, order = safetensors.encoded({name: (a.dtype, a.shape) for name, a in arrays.items()}, notes)
  return head + b''.join(safetensors.data_of(arrays[name]) for name in order)


def written(folder, content=None):
  path = folder / 'some.safetensors'
  path.write_bytes(content_of(ARRAYS, {'format': 'np'}) if content is None else content)
  return path


def test_each_array_comes_back_by_itself(tmp_path):
  path = written(tmp_path)
  header = safetensors.open_header(path)
  assert header.notes == {'format': 'np'} and header.places.keys() == ARRAYS.keys()
  for name, want in ARRAYS.items():
    got = safetensors.read(path, header, name)
    assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())


@pytest.mark.parametrize('index', [
    np.s_[:, :, :], np.s_[1:3, :, :], np.s_[:, 2:3, :], np.s_[:, :, 1:4], np.s_[2:4, 0:2, 3:5], np.s_[0:0, :, :],
    np.s_[3:4, 4:5, 5:6]], ids=str)
def test_a_piece_is_what_numpy_cuts_out(tmp_path, index):
  whole = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
  path = written(tmp_path, content_of(dict(a=np.zeros(3), whole=whole), {}))
  header = safetensors.open_header(path)
  got = np.empty_like(whole[index], order='C')
  safetensors.read_piece(path, header.places['whole'], header.start, index, got)
  np.testing.assert_array_equal(got, whole[index])


def test_numbers_without_axes_are_pieces_too(tmp_path):
  header = safetensors.open_header(path := written(tmp_path))
  got = np.zeros((), np.int64)
  safetensors.read_piece(path, header.places['e'], header.start, (), got)
  assert got == 7
  path.write_bytes(path.read_bytes()[:header.start])
  with pytest.raises(InputError, match='cut short'):
    safetensors.read_piece(path, header.places['e'], header.start, (), got)


def test_a_file_written_array_by_array_is_the_same(tmp_path):
  shapes = {name: (a.dtype, a.shape) for name, a in ARRAYS.items()}
  safetensors.write(tmp_path / 'a', shapes, dict(format='pt'), ARRAYS.get)
  assert (tmp_path / 'a').read_bytes() == content_of(ARRAYS, dict(format='pt'))


def test_data_go_out_in_the_file_s_order_of_bytes_and_axes(tmp_path):
  big = np.arange(6, dtype='>f4').reshape(2, 3).T
  path = written(tmp_path, content_of({'big': big}, {}))
  assert safetensors.read(path, safetensors.open_header(path), 'big').tolist() == big.tolist()


def test_a_file_without_notes_is_read(tmp_path):
  text = json.dumps(dict(a=dict(dtype='F32', shape=[1], data_offsets=[0, 4]))).encode()
  path = written(tmp_path, struct.pack('<Q', len(text)) + text + np.float32(2).tobytes())
  header = safetensors.open_header(path)
  assert header.notes == {} and safetensors.read(path, header, 'a').tolist() == [2]


def test_a_file_cut_after_its_header_was_read_is_refused(tmp_path):
  path = written(tmp_path)
  header = safetensors.open_header(path)
  path.write_bytes(path.read_bytes()[:header.start + 2])
  with pytest.raises(InputError, match="cut short: 'model.a'"):
    safetensors.read(path, header, 'model.a')


def test_a_file_that_is_not_there_is_named(tmp_path):
  for path in (tmp_path / 'nowhere', tmp_path):
    with pytest.raises(InputError, match=f'{path} cannot be read|no safetensors file'):
      safetensors.open_header(path)


fuzzed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.data())
@fuzzed
def test_no_cut_or_longer_file_is_opened(tmp_path, data):
  whole = content_of(ARRAYS, {})
  changed = data.draw(st.one_of(st.integers(0, len(whole) - 1).map(lambda cut: whole[:cut]),
                                st.binary(min_size=1, max_size=40).map(lambda more: whole + more)))
  with pytest.raises(InputError):
    safetensors.open_header(written(tmp_path, changed))


@given(st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(['a', 'dtype', 'shape', 'data_offsets', '__metadata__']), inner, max_size=4),
                    max_leaves=12), st.binary(max_size=16))
@fuzzed
def test_any_header_is_read_truly_or_refused(tmp_path, header, data):
  text = json.dumps(header).encode()
  path = written(tmp_path, struct.pack('<Q', len(text)) + text + data)
  try:
    opened = safetensors.open_header(path)
  except InputError:
    return
  assert sum(place.end - place.begin for place in opened.places.values()) == len(data)
