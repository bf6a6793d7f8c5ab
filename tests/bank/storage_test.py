"""What is stored in fewer bits comes back as near as is said, and everything else exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import ml_dtypes
import numpy as np
import pytest

from latentmem.bank import storage
from latentmem.base.errors import InputError

RNG = np.random.default_rng(0)
ARRAYS = dict(
    matrices=RNG.standard_normal((3, 2, 16, 8)).astype(np.float32), wide=RNG.standard_normal((5, 4)),
    vector=RNG.standard_normal(40).astype(np.float32), half=RNG.standard_normal((9, 9)).astype(np.float16),
    brain=RNG.standard_normal((9, 9)).astype(ml_dtypes.bfloat16), number=np.array(1.5, np.float32),
    endless=np.array([1, np.inf] * 8, np.float32), count=np.arange(40), yes=np.array([True, False]),
    zeros=np.zeros((4, 8), np.float32), none=np.zeros((0, 4), np.float32))


def there_and_back(arrays, kind):
  written, how = storage.store(arrays, kind)
  return storage.restore('file', written, how), written, how


@pytest.mark.parametrize('kind', storage.KINDS)
def test_names_shapes_and_dtypes_come_back_and_errors_are_as_said(kind):
  back, written, how = there_and_back(ARRAYS, kind)
  assert back.keys() == ARRAYS.keys()
  for name, array in ARRAYS.items():
    got = back[name]
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert written[name].nbytes <= array.nbytes
    if name not in how:
      assert got.tobytes() == array.tobytes()
      continue
    apart = [float(b) - float(a) for a, b in zip(array.reshape(-1), got.reshape(-1))]
    np.testing.assert_allclose(how[name].largest, max(map(abs, apart), default=0.0), rtol=1e-12)
    np.testing.assert_allclose(how[name].rms, (sum(a * a for a in apart) / max(1, len(apart))) ** 0.5, rtol=1e-12)
  assert not {'count', 'yes', 'endless'} & how.keys()


def test_what_is_rounded_is_what_the_kind_says():
  assert there_and_back(ARRAYS, 'exact')[2] == {}
  assert there_and_back(ARRAYS, 'float32')[2].keys() == {'wide'}
  assert there_and_back(ARRAYS, 'bfloat16')[2].keys() == {'matrices', 'wide', 'vector', 'number', 'zeros', 'none'}
  # A number by itself is not smaller with a scale beside it; an array of none has nothing to be smaller.
  assert there_and_back(ARRAYS, 'int8')[2].keys() == {'matrices', 'wide', 'vector', 'half', 'brain', 'zeros'}


def test_int8_in_a_loop_of_numbers():
  x = ARRAYS['matrices']
  written, how = storage.store(dict(x=x), 'int8')
  small, scales = written['x'], written[how['x'].scale]
  assert (small.dtype, scales.dtype, scales.shape) == (np.int8, np.float32, (3, 2, 1, 1))
  for i in range(3):
    for j in range(2):
      scale = max(abs(float(n)) for n in x[i, j].reshape(-1)) / 127
      np.testing.assert_allclose(scales[i, j, 0, 0], scale, rtol=1e-6)
      for n, m in zip(x[i, j].reshape(-1), small[i, j].reshape(-1)):
        # Half a step, but for the rounding of the scale and of the quotient in float32.
        assert abs(float(n) - int(m) * scale) <= scale * (0.5 + 127e-6)
  assert np.abs(small).max() == 127
  assert (small.nbytes + scales.nbytes) / x.nbytes < 0.26


@given(hnp.arrays(st.sampled_from([np.float16, np.float32, np.float64]),
                  hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)), st.sampled_from(storage.KINDS))
@settings(deadline=None)
def test_any_floats_come_back_as_near_as_is_said(array, kind):
  back, written, how = there_and_back(dict(x=array), kind)
  if 'x' in how:
    assert np.all(np.isfinite(array)) and np.all(np.isfinite(back['x']))
    apart = back['x'].astype(np.float64) - array.astype(np.float64)
    assert np.max(np.abs(apart), initial=0) == how['x'].largest
    assert how['x'].rms <= how['x'].largest * (1 + 1e-12)
  else:
    assert back['x'].tobytes() == array.tobytes()


def test_an_array_may_bear_the_name_that_scales_would():
  arrays = {'x': ARRAYS['vector'], 'x.scale': ARRAYS['count']}
  back, _, how = there_and_back(arrays, 'int8')
  assert how['x'].scale not in arrays and back.keys() == arrays.keys()
  assert np.array_equal(back['x.scale'], ARRAYS['count'])


def test_an_unknown_kind_is_refused():
  with pytest.raises(InputError, match=r"no storage 'int9' \(did you mean 'int8'\?\)"):
    storage.store(ARRAYS, 'int9')


@pytest.mark.parametrize('spoil', [
    lambda w, h: w.pop('x'), lambda w, h: w.pop('x.scale'), lambda w, h: w.update({'x.scale': np.zeros(3, np.float32)}),
    lambda w, h: w.update({'x.scale': np.zeros((3, 2, 1, 1))}), lambda w, h: w.update(x=np.zeros((3, 2, 16, 8))),
    lambda w, h: h.update(x=h['x']._replace(kind='bfloat16')),
    lambda w, h: h.update(x=h['x']._replace(scale='y'))])
def test_what_cannot_be_restored_is_refused(spoil):
  written, how = storage.store(dict(x=ARRAYS['matrices']), 'int8')
  spoil(written, how)
  with pytest.raises(InputError, match="'x' is not stored as"):
    storage.restore('file', written, how)
