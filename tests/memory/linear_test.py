"""Linear attention with decay is what its equation says."""

import jax
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from tests.checks import assert_close
from tests.memory import in_numpy

pytestmark = pytest.mark.usefixtures('x64')


def loop(p, x_TD):
  """S_t = a_t S_{t-1} + k_t v_t', y_t = S_t' q_t / sqrt(K), head after head."""
  q, k, v = in_numpy.qkv(p, x_TD)
  a = in_numpy.gate(p, 'decay', x_TD)
  length, heads, width = q.shape
  y, s = np.zeros_like(v), np.zeros((heads, width, width))
  for t in range(length):
    for h in range(heads):
      s[h] = a[t, h] * s[h] + np.outer(k[t, h], v[t, h])
      y[t, h] = s[h].T @ (q[t, h] / np.sqrt(width))
  return s, in_numpy.answer(p, y, x_TD)


@pytest.mark.parametrize('fields', [dict(heads=2), dict(heads=1, conv=0), dict(heads=2, head_width=3, conv=2)], ids=str)
def test_equals_the_equation_in_a_loop(fields):
  read, start, p, x = in_numpy.setting(memory, 'linear', **fields)
  for parallel in (True, False):
    end, y = read(start, x, parallel=parallel)
    for b in range(2):
      s, want = loop(p, x[b])
      assert_close(y[b], want)
      assert_close(end['cell'][b], s)


def test_decay_starts_where_it_was_told_to():
  cell = memory.make('linear', width=8, decay_start=0.9)
  params = cell.init(jax.random.key(0), 1, method='init_state')['params']
  np.testing.assert_allclose(in_numpy.sigmoid(np.asarray(params['decay_bias'])), 0.9, rtol=1e-6)
  np.testing.assert_array_equal(params['decay'], 0)


def test_heads_that_do_not_divide_the_width_are_refused():
  with pytest.raises(InputError, match='3 heads do not divide a width of 8'):
    memory.make('linear', width=8, heads=3).init(jax.random.key(0), 1, method='init_state')


