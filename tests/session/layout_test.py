"""States in parts are the states: put together, taken out and put back, whatever the model keeps."""

import jax
import numpy as np
import pytest

from latentmem.session.layout import Layout
from tests.session.live import network


def drawn(shapes):
  rng = np.random.default_rng(0)
  return jax.tree.map(lambda a: (9 * rng.normal(size=a.shape)).astype(a.dtype), shapes)


@pytest.mark.parametrize('scan', [False, True])
def test_a_row_comes_back_as_it_was_put_and_touches_no_other(scan):
  net = network(scan=scan)
  shapes = lambda rows: jax.eval_shape(lambda: net.init_with_output(
      jax.random.key(0), rows, method='init_state')[0])
  params = jax.eval_shape(lambda: net.init(jax.random.key(0), np.zeros((1, 1), int), method='first'))
  layout = Layout(net, params)
  carry, row = drawn(shapes(3)), drawn(shapes(1))
  parts = layout.apart(carry)
  assert any(isinstance(part, tuple) for part in parts) != scan
  jax.tree.map(np.testing.assert_array_equal, layout.whole(parts), carry)
  after = layout.whole(layout.put(parts, row, 1))
  jax.tree.map(np.testing.assert_array_equal, layout.take(layout.put(parts, row, 1), 1), row)
  for other in (0, 2):
    jax.tree.map(np.testing.assert_array_equal, layout.take(layout.apart(after), other), layout.take(parts, other))
  jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[:, 1:2], b), after, row)
