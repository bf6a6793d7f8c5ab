"""What memories with heads share: norms, gates that start where they are told, heads that fit the width."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from latentmem.memory import parts
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')


def test_unit_makes_long_vectors_one_and_leaves_small_ones_small():
  long, small = np.array([300.0, 400.0]), np.array([3e-4, 4e-4])
  assert_close(parts.unit(long), long / 500, within=1e-6)
  # sqrt(eps) is 0.1, so a vector far below it is stretched tenfold and no more.
  assert_close(parts.unit(small), small * 10, within=1e-4)


def test_unit_stays_below_one():
  assert jnp.linalg.norm(parts.unit(np.full(8, 1e6))) < 1


def test_rms_norm():
  x = np.random.default_rng(0).normal(size=(3, 5)) * 100
  assert_close(parts.rms_norm(x), x / np.sqrt((x * x).mean(-1, keepdims=True)), within=1e-6)


def test_a_gate_starts_where_it_is_told_whatever_the_token():
  cell = memory.make('titans', width=8, heads=2, forget_start=0.125, state_dtype='float64')
  x = np.random.default_rng(0).normal(size=(2, 3, 8))
  real = np.ones((2, 3), bool)
  drive = lambda cell: cell.drive(cell.init_tail(2, x.dtype), x, ~real, real)[1]
  (drive, _) = cell.init_with_output(jax.random.key(0), method=drive)
  assert_close(drive['log_keep'], np.full((2, 3, 2), np.log(1 - 0.125)), within=1e-6)


@pytest.mark.parametrize('fields, shape', [(dict(heads=2), (2, 4)), (dict(heads=3, head_width=5), (3, 5))])
def test_heads_share_the_width_unless_they_have_their_own(fields, shape):
  assert memory.make('linear', width=8, **fields).head_shape == shape


def test_heads_that_do_not_divide_the_width_are_refused():
  with pytest.raises(InputError, match='3 heads do not divide a width of 8'):
    memory.make('linear', width=8, heads=3).head_shape  # noqa: B018
