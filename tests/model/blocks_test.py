"""Blocks: norm and feed-forward are their formulas; attention refuses what cannot be."""

import jax
import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.model import blocks
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')


def bound(module, *given):
  """A module with random float64 parameters -> its answer, and the parameters."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *given))
  params = jax.tree.map(lambda p: rng.normal(size=p.shape), shapes)
  return module.apply(params, *given), params['params']


def test_rms_norm():
  x = np.random.default_rng(1).normal(size=(2, 3, 8))
  y, params = bound(blocks.RMSNorm(), x)
  scale, = jax.tree.leaves(params)
  assert_close(y, x / np.sqrt((x * x).mean(-1, keepdims=True)) * scale, within=1e-5)


def test_swiglu():
  x = np.random.default_rng(1).normal(size=(2, 3, 8))
  y, params = bound(blocks.SwiGLU(8, 12, 1.0), x)
  gate, up = x @ params['up'][:, 0], x @ params['up'][:, 1]
  assert_close(y, gate / (1 + np.exp(-gate)) * up @ params['out'])


@pytest.mark.parametrize('fields, told', [
    (dict(heads=3), '3 heads do not divide a width of 8'), (dict(heads=8), 'even head width'),
    (dict(heads=2, window=0), 'window of at least 1')])
def test_attention_that_cannot_be_is_refused(fields, told):
  with pytest.raises(InputError, match=told):
    blocks.Attention(width=8, **dict(window=4) | fields).head_shape  # noqa: B018


def test_attention_starts_with_an_empty_window():
  state = blocks.Attention(width=8, heads=2, window=4, conv=3).init_state(2, 'bfloat16')
  assert {str(a.dtype) for a in (state['cache']['k'], state['tail'])} == {'bfloat16'}
  assert not any(np.any(np.asarray(a, float)) for a in jax.tree.leaves(state))
