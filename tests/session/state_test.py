"""A state is known by its model: fields, shapes and every bit of the parameters; what makes no sense is no state."""

import json

import numpy as np
import pytest

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.session import state

NET = model.make('decoder', vocab=9, width=8, layers=1, memory=dict(kind='none'), compose=dict(kind='mag', heads=2))
PARAMS = dict(params=dict(a=np.ones((2, 3), np.float32), b=np.float32(0)))
CARRY = dict(cell=np.arange(6, dtype=np.float32).reshape(2, 3), age=np.zeros(2, np.int32))


def test_an_identity_is_of_fields_shapes_and_values():
  own = state.identity(NET, PARAMS)
  assert own == state.identity(NET, dict(params=dict(PARAMS['params'])))
  changes = [state.identity(NET.clone(layers=2), PARAMS)]
  for a in (np.ones((3, 2), np.float32), np.ones((2, 3), np.float16), np.full((2, 3), np.nextafter(np.float32(1), 2))):
    changes.append(state.identity(NET, dict(params=PARAMS['params'] | dict(a=a))))
  assert len({each.fingerprint for each in [own, *changes]}) == 5
  assert own.fields['kind'] == 'decoder' and own.fields['compose']['heads'] == 2
  json.dumps(own.notes())


def test_whose_a_state_is_not_is_told_by_what_differs():
  own = state.identity(NET, PARAMS)
  own.check('it', own.notes())
  told = lambda notes: str(pytest.raises(InputError, own.check, 'it', own.notes() | notes).value)
  assert "layers is 2 there, 1 here" in told(state.identity(NET.clone(layers=2), PARAMS).notes())
  other = dict(params=PARAMS['params'] | dict(b=np.float32(1)))
  assert 'other parameters' in told(state.identity(NET, other).notes())
  wide = dict(params=PARAMS['params'] | dict(b=np.float64(1)))
  assert 'other shapes' in told(state.identity(NET, wide).notes())
  assert "holds a 'titans'" in told(dict(kind='titans'))


def test_a_state_is_read_as_it_was_written_and_shares_nothing():
  kept = state.of(CARRY, [3, 4], 7)
  carry, unread, position = state.read(kept, CARRY, 9, 'it')
  assert position == 7 and unread.tolist() == [3, 4]
  np.testing.assert_array_equal(carry['cell'], CARRY['cell'])
  assert not np.shares_memory(kept['carry']['cell'], CARRY['cell'])
  state.read(state.of(CARRY, [], 0), CARRY, 9, 'it')


@pytest.mark.parametrize('wrong, said', [
    (dict(unread=np.array([9], np.int32)), 'not all of the 9'), (dict(position=np.int64(1)), 'more than the 1'),
    (dict(position=np.int64(2**31)), 'given more than 2147483647'),
    (dict(unread=np.array([[1]], np.int32)), 'unread is int32'), (dict(position=np.array([7])), 'position is int64'),
    (dict(carry=dict(CARRY, age=np.zeros(3, np.int32))), 'carry/age is int32.3. there, int32.2. here'),
    (dict(carry=dict(cell=CARRY['cell'])), 'carry/age is absent there'), (dict(more=np.zeros(1)), 'more is float64')])
def test_what_makes_no_sense_is_refused(wrong, said):
  with pytest.raises(InputError, match=said):
    state.read(state.of(CARRY, [3, 4], 7) | wrong, CARRY, 9, 'it')
