"""Every composition keeps the promises of a memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.model import compose
from tests import promises
from tests.cases import slow
from tests.checks import assert_close
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')

# Every composition around a memory that is compiled fast, and attention alone; Titans' documents start at chunks.
FULL = [('after', 'token_state'), ('mac', 'linear'), ('mag', 'linear'), ('mal', 'linear'),
        ('attention', 'none'), ('mac', 'none'), slow('mac', 'titans'), slow('mag', 'titans')]
# What is left hands its parts through; a memory alone has kept its promises by itself.
SHORT = [('plain', 'linear'), slow('after', 'titans'), slow('mal', 'titans'), slow('mag', 'none'), slow('mal', 'none')]


@pytest.mark.parametrize('promise', promises.ALL, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind, held', FULL)
def test(kind, held, promise):
  promise(subjects.composition(kind, held))


@pytest.mark.parametrize('kind, held', SHORT)
def test_any_cut_is_the_same_as_whole(kind, held):
  promises.any_cut_is_the_same_as_whole(subjects.composition(kind, held))


@pytest.mark.parametrize('kind', compose.kinds())
def test_no_gradient_comes_from_the_future(kind):
  """d y[i] / d x[j] is 0 for j > i, and is not for every j <= i that a window or a memory reaches."""
  held = 'linear' if compose.find(kind).takes_memory else 'none'
  subject = subjects.composition(kind, held)
  one_row = jax.tree.map(lambda a: a[:1], subject.fresh)
  everywhere = np.ones((1, 12), bool)

  @jax.jit
  def moves(x_TD):
    y = lambda x_TD: subject.plain_read(subject.params, one_row, x_TD[None], ~everywhere, everywhere, True, False)[1][0]
    return jax.jacrev(y)(x_TD)

  reaches_TT = np.asarray(jnp.abs(moves(subject.x[0, :12])).sum((1, 3)))
  assert np.all(reaches_TT[np.triu_indices(12, 1)] == 0)
  assert np.all(np.diag(reaches_TT) > 0) and np.all(reaches_TT[1:6, 0] > 0)
  assert np.all(reaches_TT[6:, 0] > 0) or held == 'none'


def test_every_kind_is_held_to_its_promises():
  assert set(compose.kinds()) == {case[0] for case in FULL + SHORT if type(case) is tuple}


def test_mac_reads_the_memory_as_it_stood_when_the_segment_began():
  """Within a segment, what is written does not reach what is read: only through attention do tokens meet."""
  subject = subjects.composition('mac', 'linear')
  state, _ = subject.read(subject.x[:, :8])
  before = state['memory']['cell']
  for length in (1, 3, 7):
    later, _ = subject.read(subject.x[:, 8:8 + length], state)
    np.testing.assert_array_equal(later['before']['cell'], before)
    assert np.any(np.asarray(later['memory']['cell']) != np.asarray(before))
  whole, _ = subject.read(subject.x[:, 8:16], state)
  last, _ = subject.read(subject.x[:, 16:17], whole)
  np.testing.assert_array_equal(last['before']['cell'], whole['memory']['cell'])


@pytest.mark.parametrize('kind, held', [('mac', 'linear'), ('mag', 'linear'), ('attention', 'none')])
def test_a_reset_leaves_nothing_of_the_document_before(kind, held):
  """...in the state, be it out of sight."""
  subject = subjects.composition(kind, held)
  reset = np.zeros((promises.BATCH, 3), bool)
  reset[:, 0] = True
  want, _ = subject.read(subject.x[:, :3])
  for parallel in (True, False):
    state, _ = subject.read(subject.x[:, :3], subject.lived, reset, parallel=parallel)
    assert_close(state, want)


def test_mac_reads_on_in_training_where_the_last_segment_is_ragged():
  subject = subjects.composition('mac', 'linear')
  states, want = subject.meaning(subject.x)
  end, y = subject.plain_read(subject.params, subject.fresh, subject.x, None, None, True, True)
  assert_close(y, want)
  assert_close(end, states[-1])
