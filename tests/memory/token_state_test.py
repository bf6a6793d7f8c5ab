"""The persistent state against a loop in numpy; its token-by-token recurrence against the promises of a memory."""

import functools

import jax
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from tests import promises
from tests.checks import assert_close
from tests.memory import conformance_test, in_numpy

pytestmark = pytest.mark.usefixtures('x64')

FIELDS = [dict(), dict(recurrence='full'), dict(kept=0), dict(recurrence='full', kept=0), dict(kept=1, stride=4),
          dict(without='read'), dict(recurrence='full', without='write'), dict(without='forget,write'),
          dict(recurrence='full', without='forget')]
SMALL = dict(state=6, heads=2, stride=2, kept=3)


def softmax(score):
  share = np.exp(score - score.max())
  return share / share.sum()


def loop(p, x_TD, recurrence='input', state=6, heads=2, stride=2, kept=3, without=''):
  """One document, token after token."""
  c, columns, out = np.zeros(state), [], []
  for t, x_D in enumerate(x_TD):
    z = x_D @ p['compress']
    pre = [z @ p['gates'][:, gate] + p['gates_bias'][gate] for gate in range(3)]
    if recurrence == 'full':
      pre = [own + c @ p['recurrent'][:, gate] for gate, own in enumerate(pre)]
    keep = 1 if 'forget' in without else in_numpy.sigmoid(pre[0])
    write = 0 if 'write' in without else in_numpy.sigmoid(pre[1])
    c = keep * c + write * np.tanh(pre[2])
    read = np.zeros(state)
    if kept:
      if (t + 1) % stride == 0:
        columns = [*columns, (c @ p['keys'][:, 0], c @ p['keys'][:, 1])][-kept:]
      query, wide = z @ p['query'], state // heads
      for h in range(heads if columns else 0):
        own = slice(h * wide, (h + 1) * wide)
        share = softmax(np.array([query[own] @ key[own] for key, _ in columns]) * wide ** -0.5)
        read[own] = sum(s * value[own] for s, (_, value) in zip(share, columns))
    r = np.zeros(state) if 'read' in without else c + read
    normal = r / np.sqrt(np.mean(r * r) + 1e-5) * p['norm']
    out.append(np.concatenate([z, normal]) @ p['out'])
  return np.stack(out)


@pytest.mark.parametrize('fields', FIELDS, ids=str)
def test_the_equations_in_a_loop(fields):
  fields = SMALL | fields
  read, start, params, x = in_numpy.setting(memory, 'token_state', length=19, **fields)
  want = np.stack([loop(jax.tree.map(np.asarray, params), x_TD, **fields) for x_TD in x])
  for parallel in (True, False):
    assert_close(read(start, x, parallel=parallel)[1], want)


@functools.cache
def subject(fields):
  """The promises' subject, of other fields than the defaults."""
  cell = memory.make('token_state', width=8, chunk=4, state_dtype='float64', **SMALL | dict(fields))
  rng = np.random.default_rng(1)
  shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), 1, 'float64', method='init_state'))
  params = jax.tree.map(lambda p: 0.5 * rng.normal(size=p.shape), shapes)
  x, other = rng.normal(size=(2, promises.BATCH, promises.LENGTH, 8))
  read = lambda params, state, x, reset, mask, parallel, aligned: cell.apply(
      params, state, x, reset, mask, parallel=parallel, aligned=aligned)
  init_state = lambda params: cell.apply(params, promises.BATCH, 'float64', method='init_state')
  return promises.Subject(params, x, other, init_state, read, align=4)


@pytest.mark.parametrize('promise', promises.ALL, ids=lambda promise: promise.__name__)
def test_full_keeps_the_promises(promise):
  promise(subject((('recurrence', 'full'),)))


@pytest.mark.parametrize('promise', [promises.any_cut_is_the_same_as_whole, promises.a_reset_forgets_everything],
                         ids=lambda promise: promise.__name__)
def test_a_state_alone_keeps_the_promises(promise):
  promise(subject((('kept', 0),)))


def test_it_starts_as_nothing_and_is_fresh_at_zero():
  cell, params = conformance_test.make('token_state')
  x = np.random.default_rng(0).normal(size=(2, 9, 8))
  state = cell.apply(params, 2, 'float64', method='init_state')
  _, y = cell.apply(params, state, x)
  assert np.all(np.asarray(y) == 0)


@pytest.mark.parametrize('fields, told', [
    (dict(recurrence='ful'), "did you mean 'full'"), (dict(stride=3), 'divide its chunk of 4'),
    (dict(heads=4), 'heads=4'), (dict(kept=-1), 'kept=-1'), (dict(forget_start=1.0), 'forget_start')])
def test_fields_that_make_no_sense_are_refused(fields, told):
  with pytest.raises(InputError, match=told):
    in_numpy.setting(memory, 'token_state', **SMALL | fields)
