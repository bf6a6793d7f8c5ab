"""A state file loads as it was written, or is refused in words; writing it never harms the one before."""

import hashlib
import json
import os
import struct

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import ml_dtypes
import numpy as np
import pytest

from latentmem.bank import format as bank_format
from latentmem.base import records, safetensors
from latentmem.base.errors import InputError

ARRAYS = {
    'carry/0': np.array([True]),
    'carry/a': np.arange(6, dtype=np.float32).reshape(2, 3), 'carry/b': np.array([[True, False]]),
    'carry/c': np.array([1.5, -2.0, np.inf], ml_dtypes.bfloat16), 'carry/d': np.zeros((0, 4), np.float16),
    'position': np.array(7, np.int32),
}
NOTES = {'kind': 'session', 'who': 'wrote "checksum": "' + '0' * 64 + '" ü'}


def written(folder):
  path = folder / 'state'
  bank_format.write(path, ARRAYS, NOTES)
  return path


def forged(header, data=b'', text=None):
  """A file with any header, and the checksum that belongs to it."""
  if isinstance(header, dict):
    notes = {'format': bank_format.FORMAT, 'version': bank_format.VERSION, 'checksum': bank_format.UNKNOWN}
    header = {'__metadata__': notes} | header
  text = json.dumps(header).encode() if text is None else text
  head = struct.pack('<Q', len(text)) + text
  blocks = [data[begin:begin + bank_format.BLOCK] for begin in range(0, len(data), bank_format.BLOCK)]
  checksum = hashlib.sha256(head + b''.join(hashlib.sha256(block).digest() for block in blocks)).hexdigest()
  return head.replace(bank_format.UNKNOWN.encode(), checksum.encode(), 1) + data


def read(folder, content):
  path = folder / 'forged'
  path.write_bytes(content)
  return bank_format.read(path)


def test_what_is_read_is_what_was_written(tmp_path):
  arrays, notes = bank_format.read(written(tmp_path))
  assert arrays.keys() == ARRAYS.keys()
  for name, want in ARRAYS.items():
    assert (arrays[name].dtype, arrays[name].shape) == (want.dtype, want.shape)
    assert arrays[name].tobytes() == want.tobytes()
  assert {k: notes[k] for k in NOTES} == NOTES


def test_the_layout_is_that_of_safetensors(tmp_path):
  content = written(tmp_path).read_bytes()
  length = int.from_bytes(content[:8], 'little')
  header = json.loads(content[8:8 + length])
  assert all(isinstance(v, str) for v in header.pop('__metadata__').values())
  assert header['carry/a'].keys() == {'dtype', 'shape', 'data_offsets'}
  assert {n: h['dtype'] for n, h in header.items()} == {
      'carry/0': 'BOOL', 'carry/a': 'F32', 'carry/b': 'BOOL', 'carry/c': 'BF16', 'carry/d': 'F16', 'position': 'I32'}
  for name, told in header.items():
    assert told['data_offsets'][0] % safetensors.DTYPES[told['dtype']].itemsize == 0, name
  begin, end = header['carry/a']['data_offsets']
  assert content[8 + length:][begin:end] == ARRAYS['carry/a'].tobytes()


def test_a_forged_file_is_read_if_it_tells_the_truth(tmp_path):
  told = {'a': dict(dtype='F32', shape=[2], data_offsets=[0, 8])}
  arrays, _ = read(tmp_path, forged(told, np.array([1, 2], np.float32).tobytes()))
  assert arrays['a'].tolist() == [1, 2]


@pytest.mark.parametrize('told', [
    dict(dtype='F32', shape=[3], data_offsets=[0, 8]), dict(dtype='F32', shape=[2], data_offsets=[0, 12]),
    dict(dtype='F32', shape=[2], data_offsets=[8, 0]), dict(dtype='F32', shape=[-2], data_offsets=[0, 8]),
    dict(dtype='F32', shape=[2.0], data_offsets=[0, 8]), dict(dtype='F32', shape=[True, 2], data_offsets=[0, 8]),
    dict(dtype='F32', shape='2', data_offsets=[0, 8]), dict(dtype='F32', shape=[2], data_offsets=[0, 8, 8]),
    dict(dtype='F32', shape=[1], data_offsets=[4, 8]), dict(dtype='F32', shape=[1], data_offsets=[0, 4]),
    dict(dtype='F32', shape=[0, 2**70], data_offsets=[0, 0]), dict(dtype='F32', shape=[2**62, 4], data_offsets=[0, 8]),
    dict(dtype='F32', shape=[1] * 40 + [2], data_offsets=[0, 8]), dict(dtype='F99', shape=[2], data_offsets=[0, 8]),
    dict(dtype=['F32'], shape=[2], data_offsets=[0, 8]), dict(dtype='BOOL', shape=[8], data_offsets=[0, 8]),
    dict(dtype='F32', shape=[2]), dict(dtype='F32', shape=[2], data_offsets=[0, 8], more=1), [], None, 3, 'F32'])
def test_a_header_that_lies_is_refused(tmp_path, told):
  with pytest.raises(InputError, match='does not tell the truth|holds'):
    read(tmp_path, forged({'a': told}, bytes(range(8))))


def test_a_shape_that_no_array_can_have_is_refused(tmp_path):
  with pytest.raises(InputError, match='cannot have the shape'):
    read(tmp_path, forged({'a': dict(dtype='F32', shape=[0, 2**70], data_offsets=[0, 0])}))


def test_arrays_that_share_bytes_are_refused(tmp_path):
  told = {'a': dict(dtype='F32', shape=[2], data_offsets=[0, 8]),
          'b': dict(dtype='F32', shape=[1], data_offsets=[4, 8])}
  with pytest.raises(InputError, match='overlap'):
    read(tmp_path, forged(told, bytes(8)))


@pytest.mark.parametrize('content, said', [
    (b'', '0 bytes'), (b'1234567', '7 bytes'), (struct.pack('<Q', 2**63) + b'{}', 'announces a header of'),
    (struct.pack('<Q', 3) + b'{}', 'announces a header'), (struct.pack('<Q', 2) + b'{[', 'not JSON'),
    (forged({}, text=b'[' * 100_000), 'not JSON'), (forged({}, text=b'\xff\xfe'), 'not JSON'),
    (forged([1]), 'is a list'), (forged({}, text=b'{}'), 'no state file'),
    (forged({'__metadata__': {'format': 'other'}}), 'no state file'), (forged({'__metadata__': 'x'}), 'no state file'),
    (forged({'__metadata__': {'format': bank_format.FORMAT, 'version': '1'}}),
     "format version '1'; this release reads version '2'"),
    (forged({'__metadata__': {'format': bank_format.FORMAT, 'version': '2'}}), 'no checksum'),
    (forged({'__metadata__': {'format': bank_format.FORMAT, 'version': '2', 'checksum': bank_format.UNKNOWN, 'x': 1}}),
     'not text')])
def test_what_is_no_state_file_is_refused(tmp_path, content, said):
  with pytest.raises(InputError, match=said):
    read(tmp_path, content)


def test_a_state_of_many_blocks_is_read_as_it_was_written(tmp_path, monkeypatch):
  monkeypatch.setattr(bank_format, 'BLOCK', 100)
  monkeypatch.setattr(bank_format, 'WORKERS', 3)
  rng = np.random.default_rng(0)
  arrays = {f'a/{n}': rng.integers(0, 256, n, np.uint8) for n in (0, 1, 7, 99, 100, 101, 350)}
  bank_format.write(tmp_path / 'state', arrays | dict(wide=rng.standard_normal((31, 7))), {})
  got, _ = bank_format.read(tmp_path / 'state')
  assert all(got[name].tobytes() == array.tobytes() for name, array in arrays.items())
  content = (tmp_path / 'state').read_bytes()
  assert bank_format.packed(got, {}) == content
  again, _ = bank_format.unpacked('state', content)
  assert all(again[name].tobytes() == array.tobytes() for name, array in got.items())
  # Each block counts, and so does their order.
  start = len(content) - sum(array.nbytes for array in got.values())
  for begin in range(start, len(content), 100):
    spoilt = bytearray(content)
    spoilt[begin] ^= 1
    with pytest.raises(InputError, match='damaged'):
      read(tmp_path, bytes(spoilt))
  with pytest.raises(InputError, match='damaged'):
    read(tmp_path, content[:start] + content[start + 100:start + 200] + content[start:start + 100]
         + content[start + 200:])


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
  for path in (tmp_path / 'nowhere', tmp_path):
    with pytest.raises(InputError, match=f'{path} cannot be read'):
      bank_format.read(path)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  return written(tmp_path_factory.mktemp('state')).read_bytes()


fuzzed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.data())
@fuzzed
def test_no_cut_file_is_read(tmp_path, whole, data):
  cut = data.draw(st.integers(0, len(whole) - 1))
  with pytest.raises(InputError):
    read(tmp_path, whole[:cut])


@given(st.data())
@fuzzed
def test_no_file_with_a_flipped_bit_is_read(tmp_path, whole, data):
  changed = bytearray(whole)
  changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
  with pytest.raises(InputError):
    read(tmp_path, bytes(changed))


@given(st.binary(min_size=1, max_size=40))
@fuzzed
def test_no_file_with_more_at_its_end_is_read(tmp_path, whole, more):
  with pytest.raises(InputError):
    read(tmp_path, whole + more)


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just('F32')),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5)
number = st.one_of(st.integers(0, 9), st.integers(), anything)
told = st.one_of(anything, st.fixed_dictionaries(dict(
    dtype=st.one_of(st.sampled_from(sorted(safetensors.DTYPES)), anything),
    shape=st.one_of(st.lists(number, max_size=4), anything),
    data_offsets=st.one_of(st.lists(number, min_size=2, max_size=2), anything))))


@given(st.dictionaries(st.text(max_size=3), told, max_size=3), st.binary(max_size=16))
@fuzzed
def test_a_hostile_header_is_refused_or_means_what_it_says(tmp_path, header, data):
  try:
    arrays, _ = read(tmp_path, forged(header, data))
  except InputError:
    return
  assert sum(a.nbytes for a in arrays.values()) == len(data)


@given(st.binary(max_size=200))
@fuzzed
def test_noise_is_refused(tmp_path, noise):
  for content in (noise, struct.pack('<Q', len(noise)) + noise):
    with pytest.raises(InputError):
      read(tmp_path, content)


@pytest.mark.parametrize('call', ['fsync', 'replace'])
def test_a_full_disk_is_told_and_the_older_file_stays(tmp_path, monkeypatch, call):
  path = written(tmp_path)
  before = path.read_bytes()
  def full(*_):
    raise OSError(28, os.strerror(28))
  monkeypatch.setattr(records.os, call, full)
  with pytest.raises(InputError, match='no space left to write .*state'):
    bank_format.write(path, {'a': np.zeros(3)}, {})
  assert path.read_bytes() == before
  assert os.listdir(tmp_path) == ['state']


def test_a_folder_that_is_not_there_is_told(tmp_path):
  with pytest.raises(InputError, match='cannot be written'):
    bank_format.write(tmp_path / 'nowhere' / 'state', ARRAYS, {})
