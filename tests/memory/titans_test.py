"""Titans against a loop written from the paper's equations in numpy, gradients by hand."""

import functools
import math

import jax
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from tests.cases import slow
from tests.checks import assert_close
from tests.memory import in_numpy

pytestmark = pytest.mark.usefixtures('x64')

BATCH, LENGTH, WIDTH, HEADS, CHUNK = 2, 11, 8, 2, 4
HEAD_WIDTH = WIDTH // HEADS
EPS = 1e-2


def gelu(z):
  return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def slope_of_gelu(z, step=1e-6):
  return (gelu(z + step) - gelu(z - step)) / (2 * step)


def network(weights, gain, bias, x):
  """f(M; x) = x + LN(MLP(M; x)), with all that its gradient needs."""
  inputs, before = [x], []
  for w in weights[:-1]:
    before.append(inputs[-1] @ w)
    inputs.append(gelu(before[-1]))
  z = inputs[-1] @ weights[-1]
  centred = z - z.mean()
  scale = math.sqrt((centred**2).mean() + EPS)
  return x + gain * centred / scale + bias, inputs, before, centred / scale, scale


def surprise_gradient(weights, gain, bias, key, value):
  """grad_M 1/2 |f(M; k) - v|^2, layer by layer."""
  y, inputs, before, normal, scale = network(weights, gain, bias, key)
  u = (y - value) * gain
  u = (u - u.mean() - normal * (u * normal).mean()) / scale
  gradient = [np.outer(inputs[-1], u)]
  for layer in range(len(weights) - 2, -1, -1):
    u = (u @ weights[layer + 1].T) * slope_of_gelu(before[layer])
    gradient.insert(0, np.outer(inputs[layer], u))
  return gradient


def loop(p, x_TD, depth, scale, forget_to, value_norm, below=None):
  """The whole layer for one sequence, head after head, token after token.

  `below` holds what the layer below lends, a list over matrices of [N, H, D_in, D_out].
  """
  q, *kv = in_numpy.qkv(p, x_TD)
  pairs = len(kv) // 2
  if value_norm:
    kv = [*kv[:pairs], *(v / np.sqrt(np.mean(v * v, -1, keepdims=True) + 1e-2) for v in kv[pairs:])]
  a, e, r = (in_numpy.gate(p, name, x_TD) for name in ('forget', 'keep', 'share'))
  y = np.zeros_like(q)
  for h in range(HEADS):
    gain, bias = p['gain'][h], p['bias'][h]
    start = [p[f'start_{i}'][h] for i in range(depth)]
    weights, origin = start, start if forget_to == 'start' else [0 * w for w in start]
    momentum = [np.zeros_like(w) for w in weights]
    for t in range(len(x_TD)):
      if t % CHUNK == 0:
        lent = [0 if below is None else p['residual_scale'][h, i] * below[i][t // CHUNK, h] for i in range(depth)]
        anchor, seen = [w + lean for w, lean in zip(weights, lent)], []
      momentum = [e[t, h] * s for s in momentum]
      for k, v in zip(kv[:pairs], kv[pairs:]):
        key = in_numpy.unit(k[t, h])
        step = scale * (1 - e[t, h]) * r[t, h] * np.prod([1 - share * (key @ other) ** 2 for other, share in seen])
        seen.append((key, r[t, h]))
        u = surprise_gradient(anchor, gain, bias, key, v[t, h])
        momentum = [s - step * g for s, g in zip(momentum, u)]
      weights = [(1 - a[t, h]) * w + a[t, h] * o + s for w, o, s in zip(weights, origin, momentum)]
      leaning = [w + lean for w, lean in zip(weights, lent)]
      y[t, h] = network(leaning, gain, bias, in_numpy.unit(q[t, h]))[0]
  return in_numpy.answer(p, y, x_TD)


@pytest.mark.parametrize('depth, forget_to, pairs, value_norm', [
    *((depth, 'zero', 1, False) for depth in (1, 2)), *(slow(depth, 'zero', 1, False) for depth in (3, 4)),
    (2, 'start', 1, True), (3, 'start', 2, False), slow(1, 'zero', 3, True)])
def test_the_paper_in_a_loop(depth, forget_to, pairs, value_norm):
  cell = memory.make('titans', width=WIDTH, heads=HEADS, chunk=CHUNK, depth=depth, forget_to=forget_to, pairs=pairs,
                     value_norm=value_norm, state_dtype='float64')
  x = jax.random.normal(jax.random.key(0), (BATCH, LENGTH, WIDTH))
  start = lambda cell, x, parallel=True: cell(cell.init_state(BATCH, x.dtype), x, parallel=parallel)
  keys = iter(jax.random.split(jax.random.key(2), 100))
  params = jax.tree.map(lambda w: w.astype('float64') + 0.3 * jax.random.normal(next(keys), w.shape),
                        cell.init(jax.random.key(1), x, method=start))
  p = jax.tree.map(np.asarray, params['params'])
  want = np.stack([loop(p, x_TD, depth, cell.step_scale, forget_to, value_norm) for x_TD in np.asarray(x)])
  for parallel in (True, False):
    _, y = jax.jit(lambda p, x, parallel=parallel: cell.apply(p, x, parallel, method=start))(params, x)
    # The loop's slope of GELU is a central difference, good to about 1e-9.
    assert_close(y, want, within=1e-8)


@functools.cache
def without_options():
  """Tokens, and what is answered where no option is chosen."""
  read, start, _, x = in_numpy.setting(memory, 'titans', heads=2, length=14)
  return x, read(start, x)[1]


OPTIONS = [dict(momentum=False), dict(decay=False), dict(gates='chunk'), dict(layer_scale=True), dict(bound=0.1),
           dict(orthogonal=3), dict(renormalise=True), dict(forget_to='start'), dict(pairs=2)]


@pytest.mark.parametrize('fields', OPTIONS, ids=lambda fields: next(iter(fields)))
def test_every_option_reads_chunks_as_it_reads_tokens(fields):
  read, start, _, x = in_numpy.setting(memory, 'titans', heads=2, length=14, **fields)
  whole = read(start, x, parallel=False)
  assert_close(read(start, x), whole)
  for cut, aligned in ((6, False), (8, True)):
    middle, left = read(start, x[:, :cut], aligned=aligned)
    end, right = read(middle, x[:, cut:])
    assert_close((end, np.concatenate([left, right], 1)), whole)
  if not fields.keys() & {'layer_scale', 'pairs'}:  # They have more parameters, drawn in between.
    x_BTD, plain = without_options()
    np.testing.assert_array_equal(x_BTD, x)
    assert np.abs(plain - whole[1]).max() > 1e-6


def test_writing_costs_what_it_is_said_to_cost():
  """...of the tokens that are written, and no others."""
  cell = memory.make('titans', width=8, chunk=4, heads=2, state_dtype='float64', write_cost=0.3)
  read, start, params, x = in_numpy.setting(memory, 'titans', heads=2, write_cost=0.3)
  mask, write = np.arange(11) < [[11], [6]], np.arange(11) % 2 == np.zeros((2, 1))
  roots = np.sqrt(in_numpy.gate(params, 'share', x))
  for given, paid in ((dict(), 1), (dict(mask_BT=mask), mask), (dict(write_BT=write), write)):
    _, sown = cell.apply({'params': params}, start, x, mutable=['costs'], **given)
    assert_close(sown['costs']['writing'], 0.3 * np.mean(roots * np.broadcast_to(paid, mask.shape)[..., None]))
  _, sown = memory.make('titans', width=8, chunk=4, heads=2, state_dtype='float64').apply(
      {'params': params}, start, x, mutable=['costs'])
  assert not sown
  shut = params | dict(share_bias=params['share_bias'] - 2000)
  price = lambda p: cell.apply({'params': p}, start, x, mutable=['costs'])[1]['costs']['writing']
  assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(jax.grad(price)(shut)))


@pytest.mark.parametrize('fields', [dict(), dict(forget_to='start', pairs=2), dict(depth=3)], ids=str)
def test_what_the_layer_below_lends_is_added_to_the_weights_while_they_are_used(fields):
  """...and forgetting leads where it leads without it; the paper's loop, its weights moved by as much."""
  fields = dict(heads=HEADS, weight_residual=True) | fields
  read, start, params, x = in_numpy.setting(memory, 'titans', length=LENGTH, **fields)
  depth, rng = fields.get('depth', 2), np.random.default_rng(5)
  below = tuple(0.3 * rng.normal(size=(3, *w.shape)) for w in start['cell']['weights'])
  p = jax.tree.map(np.asarray, params)
  want = np.stack([loop(p, x_TD, depth, 0.03, fields.get('forget_to', 'zero'), False, [a[:, b] for a in below])
                   for b, x_TD in enumerate(x)])
  chunk_of = np.arange(LENGTH) // CHUNK
  for flags, given in ((dict(), (*below,)), (dict(parallel=False), tuple(a[chunk_of] for a in below))):
    rows = {} if flags else dict(aligned=True)
    _, y, lent = read(start, x, below=(given,), **flags, **rows)
    assert_close(y, want, within=1e-8)
  # What is lent upwards: how far the chunk's first weights are from M_0.
  first, _, _ = read(start, x[:, :CHUNK], below=(tuple(a[:1] for a in below),), aligned=True)
  moved = jax.tree.map(np.subtract, first['cell']['anchor'], start['cell']['weights'])
  assert_close(tuple(a[CHUNK] for a in lent), moved)
  assert not any(np.any(a[:CHUNK]) for a in lent) and all(np.any(a) for a in moved)


@pytest.mark.parametrize('length, flags', [
    (11, dict(parallel=False)), (11, dict()), (8, dict(aligned=True)), slow(11, dict(aligned=True)), slow(1, dict())])
def test_nothing_lent_is_the_memory_without_a_layer_below(length, flags):
  read, start, _, x = in_numpy.setting(memory, 'titans', heads=2, weight_residual=True)
  cell = memory.make('titans', width=8, chunk=4, heads=2, state_dtype='float64', weight_residual=True)
  below = cell.nothing_lent(2, length, **flags)
  assert_close(read(start, x[:, :length], below=below, **flags)[:2], read(start, x[:, :length], **flags))


@pytest.mark.parametrize('fields, told', [(dict(depth=5), 'depth'), (dict(gates='chunks'), "did you mean 'chunk'"),
                                          (dict(forget_to='stat'), "did you mean 'start'"), (dict(pairs=0), 'pairs')])
def test_fields_that_make_no_sense_are_refused(fields, told):
  with pytest.raises(InputError, match=told):
    in_numpy.setting(memory, 'titans', **fields)


@pytest.mark.parametrize('start', [0.0, 1.0, -0.5])
def test_gates_start_between_0_and_1(start):
  cell = memory.make('titans', width=WIDTH, heads=HEADS, forget_start=start)
  with pytest.raises(InputError, match='forget_start'):
    cell.init(jax.random.key(0), 1, method='init_state')
