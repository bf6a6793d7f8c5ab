"""The gated delta rule is what its equation says."""

import jax
import numpy as np
import pytest

from latentmem import memory
from tests.checks import assert_close
from tests.memory import in_numpy

pytestmark = pytest.mark.usefixtures('x64')


def loop(p, x_TD):
  """S_t = S_{t-1} (a_t (I - b_t k_t k_t')) + b_t v_t k_t', y_t = S_t q_t: the paper's eq. 10, S as it stands there."""
  q, k, v = in_numpy.qkv(p, x_TD)
  q, k = in_numpy.unit(q), in_numpy.unit(k)
  a, b = in_numpy.gate(p, 'decay', x_TD), in_numpy.gate(p, 'write', x_TD)
  length, heads, width = q.shape
  y, s = np.zeros_like(v), np.zeros((heads, width, width))
  for t in range(length):
    for h in range(heads):
      forget = a[t, h] * (np.eye(width) - b[t, h] * np.outer(k[t, h], k[t, h]))
      s[h] = s[h] @ forget + b[t, h] * np.outer(v[t, h], k[t, h])
      y[t, h] = s[h] @ q[t, h]
  return np.swapaxes(s, 1, 2), in_numpy.answer(p, y, x_TD)


@pytest.mark.parametrize('fields', [dict(heads=2), dict(heads=1, conv=0)], ids=str)
def test_equals_the_equation_in_a_loop(fields):
  read, start, p, x = in_numpy.setting(memory, 'delta', **fields)
  for parallel in (True, False):
    end, y = read(start, x, parallel=parallel)
    for b in range(2):
      s, want = loop(p, x[b])
      assert_close(y[b], want)
      assert_close(end['cell'][b], s)


def test_gates_start_where_they_were_told_to():
  cell = memory.make('delta', width=8, decay_start=0.98, write_start=0.25)
  params = cell.init(jax.random.key(0), 1, method='init_state')['params']
  np.testing.assert_allclose(in_numpy.sigmoid(np.asarray(params['decay_bias'])), 0.98, rtol=1e-6)
  np.testing.assert_allclose(in_numpy.sigmoid(np.asarray(params['write_bias'])), 0.25, rtol=1e-6)
