"""A bank gives back what was put, to whom it belongs, and keeps every version whatever comes after."""

import datetime
import os
import uuid

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from latentmem import memory
from latentmem.bank import folder, store
from latentmem.bank import format as bank_format
from latentmem.base.errors import InputError

STATE = dict(weights=(np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((3, 2), ml_dtypes.bfloat16)),
             age=np.array([3], np.int32))
OURS = dict(kind='titans', fields=dict(width=4, shape=(2, 3)), fingerprint='ab' * 32)


@pytest.fixture(params=['folder', 'file://', 'memory://'])
def bank(request, tmp_path):
  if request.param == 'folder':
    return store.Bank(tmp_path / 'bank')
  return store.Bank(f'file://{tmp_path}/bank' if request.param == 'file://' else f'memory://{uuid.uuid4()}/bank')


def same(a, b):
  return jax.tree.structure(a) == jax.tree.structure(b) and all(
      (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
      for x, y in zip(map(np.asarray, jax.tree.leaves(a)), map(np.asarray, jax.tree.leaves(b))))


def test_what_is_put_is_got(bank):
  assert bank.list() == []
  when = datetime.datetime(2030, 1, 31, 12, tzinfo=datetime.UTC)
  assert bank.put('alice', STATE, notes=dict(who='ü'), when=when, **OURS) == 1
  arrays, header = bank.get('alice')
  assert arrays.keys() == {'weights/0', 'weights/1', 'age'}
  assert (header.name, header.version, header.kind, header.fingerprint) == ('alice', 1, 'titans', 'ab' * 32)
  assert (header.fields, header.notes) == (dict(width=4, shape=[2, 3]), dict(who='ü'))
  assert header.arrays == {'weights/0': ('F32', (2, 3)), 'weights/1': ('BF16', (3, 2)), 'age': ('I32', (1,))}
  assert header.when == '2030-01-31T12:00:00+00:00' and header.library['numpy'] == np.__version__
  assert header == bank.header('alice')
  tree, _ = bank.get('alice', like=jax.eval_shape(lambda: jax.tree.map(jnp.asarray, STATE)), **OURS)
  assert same(tree, STATE)


def test_versions_are_numbered_and_stay(bank):
  for n in range(3):
    assert bank.put('alice', dict(a=np.full(3, float(n)))) == n + 1
  bank.put('bob', STATE)
  assert bank.list() == ['alice', 'bob'] and bank.versions('alice') == [1, 2, 3]
  for n in range(3):
    for reference in (('alice', n + 1), (f'alice@{n + 1}',), (bank.header('alice', n + 1),)):
      assert bank.get(*reference)[0]['a'][0] == n
  assert bank.get('alice')[1].version == 3


def test_every_memorys_state_is_kept(tmp_path):
  bank = store.Bank(tmp_path)
  for kind in memory.kinds():
    layer = memory.make(kind, width=64)
    start = lambda layer: layer.init_state(2)
    params = layer.init(jax.random.key(0), method=start)
    state = layer.apply(params, method=start)
    bank.put(kind, state, kind=kind)
    assert same(bank.get(kind, like=state, kind=kind)[0], state)


def test_a_state_of_another_model_is_refused(bank):
  bank.put('alice', STATE, **OURS)
  with pytest.raises(InputError, match="is a 'titans', not a 'slots'"):
    bank.get('alice', kind='slots')
  with pytest.raises(InputError, match='another model: its fingerprint is abab.*, this one\'s cdcd'):
    bank.get('alice', fingerprint='cd' * 32)
  with pytest.raises(InputError, match='width is 4 there, 8 here'):
    bank.get('alice', fields=dict(width=8, shape=(2, 3)))


def test_a_tree_of_other_arrays_is_refused_by_their_names(bank):
  bank.put('alice', STATE)
  other = dict(weights=(np.zeros((2, 4), np.float32), STATE['weights'][1].astype(np.float32)), more=np.zeros(1))
  with pytest.raises(InputError) as error:
    bank.get('alice', like=other)
  for said in ('age is int32[1] there, absent here', 'more is absent there, float64[1] here',
               'weights/0 is float32[2, 3] there, float32[2, 4] here', 'weights/1 is bfloat16[3, 2] there'):
    assert said in str(error.value)


def test_what_is_not_there_is_told_with_what_is(bank):
  with pytest.raises(InputError, match='no object \'alice\'; it is empty'):
    bank.get('alice')
  bank.put('alice', STATE)
  with pytest.raises(InputError, match=r"no object 'alic' \(did you mean 'alice'\?\); it has \['alice'\]"):
    bank.get('alic')
  for version in (2, 0, -1, 'x'):
    with pytest.raises(InputError, match='has no version .*; it has 1 to 1'):
      bank.get('alice', version)
  with pytest.raises(InputError, match='two versions'):
    bank.get('alice@1', 2)


@pytest.mark.parametrize('name', ['../alice', 'a/b', '', 'a\n', 'a\x00b', 'x' * 101, '.hidden', 'alice@1'])
def test_bad_names_are_refused_everywhere_and_leave_nothing(bank, tmp_path, name):
  bank.put('alice', STATE)
  before = sorted(map(str, tmp_path.rglob('*')))
  calls = [lambda: bank.put(name, STATE), lambda: bank.versions(name), lambda: bank.fork('alice', name),
           lambda: bank.forget(name), lambda: bank.merge(['alice', 'alice'], 'mean', into=name)]
  if name != 'alice@1':
    calls += [lambda: bank.get(name), lambda: bank.diff('alice', name)]
  for call in calls:
    with pytest.raises(InputError, match='cannot name an object'):
      call()
  assert sorted(map(str, tmp_path.rglob('*'))) == before


@pytest.mark.parametrize('tree, said', [
    (dict(a='text'), "'a' is str"), (dict(a=np.zeros(2, complex)), 'is complex128'), (dict(a=object()), 'is object'),
    (dict(a=np.array([object()])), 'is object'), ({'a': dict(b=np.zeros(1)), 'a/b': np.zeros(1)}, "two arrays 'a/b'"),
    ({'a\n': np.zeros(1)}, 'cannot name an array'), ({'__metadata__': np.zeros(1)}, 'cannot name an array'),
    (dict(key=jax.random.key(0)), "'key' is key<")])
def test_what_is_no_state_is_refused(bank, tree, said):
  with pytest.raises(InputError, match=said):
    bank.put('alice', tree)
  assert bank.list() == []


def test_other_input_that_cannot_be_kept_is_refused(bank):
  for given_, said in ((dict(when='yesterday'), 'is no time'), (dict(notes=dict(a=jnp.zeros(1))), 'JSON'),
                       (dict(parents=['mother']), "no object 'mother'"), (dict(storage='int4'), "no storage 'int4'"),
                       (dict(onto=1), 'is at version none, not 1')):
    with pytest.raises(InputError, match=said):
      bank.put('alice', STATE, **given_)
  assert bank.list() == []


def test_whoever_was_slower_is_told(bank):
  assert bank.put('alice', STATE, onto=0) == 1
  with pytest.raises(store.Conflict, match='is there already, up to version 1'):
    bank.put('alice', STATE, onto=0)
  assert bank.put('alice', STATE, onto=1) == 2
  with pytest.raises(store.Conflict, match='is at version 2, not 1'):
    bank.put('alice', STATE, onto=1)
  assert bank.versions('alice') == [1, 2]
  mother = bank.header('alice', 1)
  assert bank.header('alice').parents == ((mother.name, 1, mother.checksum),)


def test_a_number_taken_between_looking_and_writing_is_a_conflict(bank, monkeypatch):
  bank.put('alice', STATE)
  add = bank._place.add
  def late(*args):
    monkeypatch.undo()
    bank.put('alice', STATE)
    return add(*args)
  monkeypatch.setattr(bank._place, 'add', late)
  with pytest.raises(store.Conflict, match='is at version 2, not 1'):
    bank.put('alice', STATE, onto=1)
  assert bank.versions('alice') == [1, 2]


def test_storage_in_fewer_bits_is_said_and_comes_back_as_it_was_typed(bank):
  x = np.random.default_rng(0).standard_normal((4, 50, 50)).astype(np.float32)
  sizes = {}
  for kind in ('exact', 'float32', 'bfloat16', 'int8'):
    bank.put(kind, dict(x=x, n=np.arange(3)), storage=kind)
    arrays, header = bank.get(kind, like=dict(x=x, n=np.arange(3)))
    sizes[kind] = header.bytes
    assert np.array_equal(arrays['n'], np.arange(3))
    largest = float(np.max(np.abs(arrays['x'].astype(np.float64) - x)))
    assert largest == (header.stored['x'].largest if header.stored else 0.0)
  assert sizes == dict(exact=40024, float32=40024, bfloat16=20024, int8=10024 + 4 * 4)
  # A fork is stored as its mother is, not rounded again.
  bank.fork('int8', 'twin')
  assert bank.header('twin').stored == bank.header('int8').stored
  assert same(bank.get('twin')[0], bank.get('int8')[0])


def test_a_fork_goes_its_own_way(bank):
  bank.put('alice', dict(a=np.zeros(3)), notes=dict(who='alice'), **OURS)
  bank.put('alice', dict(a=np.ones(3)), **OURS)
  assert bank.fork('alice', 'bob', version=1) == 1
  arrays, header = bank.get('bob', **OURS)
  mother = bank.header('alice', 1)
  assert arrays['a'][0] == 0 and header.notes == dict(who='alice')
  assert header.parents == ((mother.name, 1, mother.checksum),)
  with pytest.raises(store.Conflict, match='bob .*is there already'):
    bank.fork('alice', 'bob')
  bank.forget('alice')
  assert bank.list() == ['bob'] and bank.get('bob')[0]['a'][0] == 0


def grown(bank):
  """A mother, and two children that changed one array each and one both."""
  bank.put('mother', dict(x=np.zeros(3), y=np.zeros(3), both=np.zeros(3), n=np.array(1)), notes=dict(a=1, b=1), **OURS)
  for name, change, notes, when in (('left', dict(x=np.ones(3), both=np.ones(3)), dict(a=2, b=1), '2030-01-02'),
                                    ('right', dict(y=np.ones(3), both=np.full(3, 3.0)), dict(a=1, b=2), '2030-01-01')):
    bank.fork('mother', name)
    bank.put(name, bank.get('mother')[0] | change, onto=1, notes=notes, when=when, **OURS)


def test_merging_takes_what_each_side_changed(bank):
  grown(bank)
  with pytest.raises(InputError, match=r"left@2 and right@2 have changed the arrays \['both'\] differently since"):
    bank.merge(['left', 'right'], 'refuse', into='one')
  assert 'one' not in bank.list()
  for rule, both in (('mean', 2.0), ('newest', 1.0)):
    assert bank.merge(['left', 'right'], rule, into=rule) == 1
    arrays, header = bank.get(rule, **OURS)
    assert [arrays[name][0] for name in ('x', 'y', 'both')] == [1, 1, both] and arrays['n'] == 1
    assert header.notes == dict(a=2, b=2)
    assert {str(parent) for parent in header.parents} == {'left@2', 'right@2'}


def test_merging_two_versions_of_one_object_takes_the_later_as_newest(bank):
  bank.put('x', dict(a=np.zeros(2)))
  bank.put('x', dict(a=np.ones(2)), parents=['x@1'])
  bank.put('x', dict(a=np.full(2, 2.0)), parents=['x@1'])
  assert bank.merge(['x@3', 'x@2'], 'newest', into='x', onto=3) == 4
  assert bank.get('x')[0]['a'][0] == 2
  # A version and its own descendant: the descendant.
  assert bank.merge(['x@1', 'x@4'], 'refuse', into='x') == 5
  assert bank.get('x')[0]['a'][0] == 2


def test_the_nearest_common_parent_counts(bank):
  bank.put('x', dict(a=np.zeros(2), b=np.zeros(2)))
  bank.put('x', dict(a=np.ones(2), b=np.zeros(2)), onto=1)
  bank.fork('x', 'y')
  bank.put('x', dict(a=np.ones(2), b=np.ones(2)), onto=2)
  bank.put('y', dict(a=np.zeros(2), b=np.zeros(2)), onto=1)
  # y went back to what `a` was at first: a change since the nearest, none since the first.
  bank.merge(['x', 'y'], 'refuse', into='z')
  arrays, _ = bank.get('z')
  assert arrays['a'][0] == 0 and arrays['b'][0] == 1


def test_a_forgotten_parent_is_no_parent_even_if_its_name_lives_again(bank):
  grown(bank)
  bank.forget('mother')
  for _ in range(2):
    with pytest.raises(InputError, match=r"\['both', 'x', 'y'\] differently and have no common parent"):
      bank.merge(['left@2', 'right@2'], 'refuse', into='one')
    bank.put('mother', STATE)


def test_merging_what_does_not_belong_together_is_refused(bank):
  bank.put('a', dict(x=np.zeros(2)), **OURS)
  bank.put('b', dict(x=np.ones(2)), **OURS | dict(fingerprint='cd'))
  bank.put('c', dict(x=np.ones(2)), **OURS)
  with pytest.raises(InputError, match='written by another model'):
    bank.merge(['a', 'b'], 'mean', into='d')
  with pytest.raises(InputError, match='Which of .* is the newest cannot be said'):
    bank.merge(['a', 'c'], 'newest', into='d')
  with pytest.raises(InputError, match='two versions or more'):
    bank.merge(['a'], 'mean', into='d')
  with pytest.raises(InputError, match='written by another model'):
    bank.merge(['a', 'c'], 'mean', into='b')
  assert bank.list() == ['a', 'b', 'c'] and bank.versions('b') == [1]


def test_storing_in_fewer_bits_is_no_change(bank):
  rng = np.random.default_rng(0)
  start = {name: rng.normal(size=(4, 32)).astype(np.float32) for name in ('x', 'y', 'z')}
  bank.put('mother', start, **OURS)
  for name, own in (('left', 'x'), ('right', 'y')):
    bank.put(name, start | {own: start[own] + 1}, parents=['mother'], storage='int8', **OURS)
  bank.merge(['left', 'right'], 'refuse', into='both')
  found, _ = bank.get('both')
  np.testing.assert_array_equal(found['z'], start['z'])
  for own in ('x', 'y'):
    np.testing.assert_allclose(found[own], start[own] + 1, atol=0.02)
  bank.put('right', start | dict(x=start['x'] - 1), parents=['mother'], storage='int8', **OURS)
  with pytest.raises(InputError, match=r"the arrays \['x'\]"):
    bank.merge(['left', 'right'], 'refuse', into='more')


def test_a_note_of_nothing_is_a_note(bank):
  bank.put('a', STATE, notes=dict(said=None, b=1), **OURS)
  bank.fork('a', 'b')
  bank.merge(['a', 'b'], 'refuse', into='c')
  assert bank.header('c').notes == dict(said=None, b=1)


def test_a_diff_names_every_array(bank):
  bank.put('a', dict(same=np.ones(2), moved=np.array([3.0, 4.0]), old=np.ones((2, 2)), shape=np.zeros(2),
                     yes=np.array([True])))
  bank.put('b', dict(same=np.ones(2), moved=np.array([3.0, 0.0]), new=np.zeros(1), shape=np.zeros(3),
                     yes=np.array([False])))
  diff = bank.diff('a', 'b')
  assert diff['same'].same and (diff['same'].norm, diff['same'].largest) == (0.0, 0.0)
  moved = diff['moved']
  assert (moved.same, moved.norm_before, moved.norm_after, moved.norm, moved.largest) == (False, 5.0, 3.0, 4.0, 4.0)
  assert diff['old'].after is None and diff['old'].norm_before == 2.0 and diff['old'].norm is None
  assert diff['new'].before is None and diff['shape'].norm is None and not diff['shape'].same
  assert diff['shape'].before == ('float64', (2,)) and diff['yes'].largest == 1.0


def test_a_parent_that_is_forgotten_while_it_is_looked_for_is_no_parent(bank, monkeypatch):
  origin = bank.put('origin', dict(a=np.zeros(2)))
  aside = bank.put('aside', dict(a=np.ones(2)), parents=[f'origin@{origin}'])
  for name in ('left', 'right'):
    bank.put(name, {'a': np.zeros(2), name: np.ones(1)}, parents=[f'origin@{origin}', f'aside@{aside}'])
  plain = bank.header

  def forgets(name, version=None):
    if name == 'aside' and 'aside' in bank.list():
      bank.forget('aside')
    return plain(name, version)
  monkeypatch.setattr(bank, 'header', forgets)
  bank.merge(['left', 'right'], rule='refuse', into='both')
  assert sorted(bank.get('both')[0]) == ['a', 'left', 'right'] and 'aside' not in bank.list()


def test_what_is_forgotten_is_gone(bank, tmp_path):
  bank.put('alice', STATE)
  bank.put('alice', STATE)
  bank.put('bob', STATE)
  bank.forget('alice')
  assert bank.list() == ['bob']
  for call in (bank.get, bank.versions, bank.forget, bank.header):
    with pytest.raises(InputError, match="no object 'alice'"):
      call('alice')
  assert not [path for path in tmp_path.rglob('*') if 'alice' in path.name or path.name.startswith('.')]
  assert bank.put('alice', STATE) == 1


def test_a_spoilt_version_is_refused_and_the_rest_is_untouched(tmp_path):
  bank = store.Bank(tmp_path)
  for n in range(3):
    bank.put('alice', dict(a=np.full(100, float(n))))
  path = tmp_path / 'alice' / '00000002.safetensors'
  content = bytearray(path.read_bytes())
  content[-1] ^= 1
  path.write_bytes(content)
  for call in (lambda: bank.get('alice', 2), lambda: bank.fork('alice@2', 'bob'),
               lambda: bank.diff('alice@1', 'alice@2')):
    with pytest.raises(InputError, match='00000002.safetensors is damaged'):
      call()
  path.write_bytes(content[:50])
  for call in (lambda: bank.get('alice', 2), lambda: bank.header('alice', 2)):
    with pytest.raises(InputError, match='cut short'):
      call()
  assert bank.list() == ['alice'] and bank.get('alice')[0]['a'][0] == 2 and bank.get('alice', 1)[0]['a'][0] == 0


def test_what_cannot_follow_a_damaged_version_is_told_what_to_do(tmp_path):
  bank = store.Bank(tmp_path)
  for _ in range(2):
    bank.put('x', STATE)
  path = tmp_path / 'x' / '00000002.safetensors'
  path.write_bytes(path.read_bytes()[:50])
  with pytest.raises(InputError, match=r'Nothing can follow it; without onto .* versions \[1\] before it'):
    bank.put('x', STATE, onto=2)
  assert bank.put('x', STATE) == 3


def test_a_state_file_that_is_no_object_is_refused(tmp_path):
  (tmp_path / 'x').mkdir()
  bank_format.write(tmp_path / 'x' / '00000001.safetensors', dict(a=np.zeros(1)), {})
  with pytest.raises(InputError, match='no object of a bank'):
    store.Bank(tmp_path).get('x')


fuzzed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
trees = st.recursive(
    hnp.arrays(st.sampled_from([np.float32, np.float64, np.int8, np.bool_, np.uint16]),
               hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from('abc'), inner, max_size=3)),
    max_leaves=5)


@given(trees, st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers()), max_size=3))
@fuzzed
def test_any_tree_with_any_notes_comes_back(tmp_path, tree, notes):
  bank = store.Bank(tmp_path)
  version = bank.put('x', tree, notes=notes)
  got, header = bank.get('x', version, like=tree)
  assert same(got, tree) and header.notes == notes


@given(st.data())
@fuzzed
def test_no_damage_to_a_version_is_believed(tmp_path, data):
  bank = store.Bank(tmp_path)
  if not bank.list():
    bank.put('x', STATE, storage='int8', **OURS)
    bank.put('y', STATE)
  path = tmp_path / 'x' / '00000001.safetensors'
  whole = path.read_bytes()
  place = data.draw(st.integers(0, len(whole) - 1))
  spoilt = data.draw(st.sampled_from(['cut', 'flipped', 'noise']))
  path.write_bytes(whole[:place] if spoilt == 'cut' else
                   whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1:]
                   if spoilt == 'flipped' else data.draw(st.binary(min_size=1, max_size=100)))
  try:
    with pytest.raises(InputError):
      bank.get('x@1')
    assert same(bank.get('y', like=STATE)[0], STATE) and 'y' in bank.list()
  finally:
    path.write_bytes(whole)


def done(bank, call, name, other, onto, value):
  if call == 'put':
    bank.put(name, value)
  elif call == 'onto':
    bank.put(name, value, onto=onto)
  elif call == 'fork':
    bank.fork(name, other)
  elif call == 'merge':
    bank.merge([name, other], 'mean', into=name)
  else:
    bank.forget(name)


@given(st.lists(st.tuples(st.sampled_from(['put', 'onto', 'fork', 'forget', 'merge']), st.sampled_from('ab'),
                          st.sampled_from('abc'), st.integers(0, 3)), max_size=8))
@settings(deadline=None, max_examples=40)
def test_a_bank_in_a_folder_does_what_lists_would(tmp_path_factory, calls):
  bank, want = store.Bank(tmp_path_factory.mktemp('bank')), {}
  for n, (call, name, other, onto) in enumerate(calls):
    value, newest = dict(a=np.array(float(n))), len(want.get(name, ()))
    sound = dict(put=True, onto=onto == newest, fork=newest and other not in want, forget=newest,
                 merge=newest and other in want)[call]
    if not sound:
      with pytest.raises(InputError):
        done(bank, call, name, other, onto, value)
      continue
    done(bank, call, name, other, onto, value)
    if call == 'forget':
      del want[name]
    elif call == 'fork':
      want[other] = [want[name][-1]]
    else:
      want.setdefault(name, []).append(value['a'] if call != 'merge' else bank.get(name)[0]['a'])
  assert bank.list() == sorted(want)
  for name, values in want.items():
    assert [bank.get(name, version)[0]['a'] for version in bank.versions(name)] == values
  left = [file for _, _, files in os.walk(bank.path) for file in files if not folder.FILE.fullmatch(file)]
  assert not left
