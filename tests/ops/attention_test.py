"""Attention: the meaning against a loop, every fast form against the meaning."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import attention
from tests.cases import slow
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')

BATCH, HEADS, WIDTH, PREFIX = 3, 2, 4, 2
FAST = dict(dense=attention.dense, blocks=attention.blocks)


def inputs(length, seed=0, shared=1):
  """`shared` heads of queries share one of keys."""
  draw = lambda i, *shape: jax.random.normal(jax.random.key(100 * seed + i), shape, jnp.float64)
  q, k, v = (draw(i, BATCH, length, HEADS * (shared if i == 0 else 1), WIDTH) for i in range(3))
  prefix = draw(3, BATCH, length, HEADS * shared, PREFIX), draw(4, PREFIX, HEADS, WIDTH)
  real = np.arange(length) < np.array([length, length * 2 // 3, 0])[:, None]
  reset = np.random.default_rng(seed).random((BATCH, length)) < 0.15
  return q, k, v, reset, real, prefix


def cache_after(length, window):
  """A window that has seen `length` tokens, and a document or two end. Queries leave no trace in it."""
  empty = attention.init_cache(BATCH, window, HEADS, WIDTH, jnp.float64)
  if not length:
    return empty
  q, k, v, reset, _, prefix = inputs(length, seed=1)
  return attention.dense(empty, q, k, v, reset, np.ones_like(reset), prefix)[0]


def in_a_loop(q, k, v, reset, real, prefix, window):
  """Softmax attention as it is defined, one query at a time, from an empty window."""
  q, k, v, (score, prefix_v) = np.asarray(q), np.asarray(k), np.asarray(v), map(np.asarray, prefix)
  shared = q.shape[2] // k.shape[2]
  y = np.zeros_like(q)
  for b in range(BATCH):
    first = 0
    for t in range(int(real[b].sum())):
      first = t if reset[b, t] else first
      seen = range(max(first, t - window + 1), t + 1)
      for h in range(q.shape[2]):
        g = h // shared
        logit = np.array([*score[b, t, h]] + [q[b, t, h] @ k[b, s, g] / np.sqrt(WIDTH) for s in seen])
        weight = np.exp(logit - logit.max())
        weight /= weight.sum()
        y[b, t, h] = weight @ np.stack([*prefix_v[:, g]] + [v[b, s, g] for s in seen])
  return y


@pytest.mark.parametrize('window, shared', [(1, 1), (5, 1), (40, 1), (5, 3), (40, 4)])
def test_the_meaning_is_softmax_attention_in_a_loop(window, shared):
  q, k, v, reset, real, prefix = inputs(17, shared=shared)
  _, y = attention.in_turn(cache_after(0, window), q, k, v, reset, real, prefix)
  want = in_a_loop(q, k, v, reset, real, prefix, window)
  assert_close(jnp.where(real[..., None, None], y, 0), want)


@functools.partial(jax.jit, static_argnames='form')
def score_and_gradients(form, cache, q, k, v, reset, real, prefix):
  def score(cache, q, k, v, prefix):
    cache, y = form(dict(cache, count=count), q, k, v, reset, real, prefix)
    y = jnp.where(real[..., None, None], y, 0)
    weight = 1 + jnp.cos(jnp.arange(y.size)).reshape(y.shape)
    return jnp.sum(weight * y) + jnp.sum(jnp.cos(cache['k'] + cache['v'])), (cache, y)
  cache, count = {name: cache[name] for name in 'kv'}, cache['count']
  return jax.value_and_grad(score, argnums=(0, 1, 2, 3, 4), has_aux=True)(cache, q, k, v, prefix)


@pytest.mark.parametrize('form', FAST)
@pytest.mark.parametrize('length, window, before, shared', [
    (17, 5, 3, 1), (9, 1, 0, 1), (3, 8, 13, 1), slow(9, 64, 5, 1), slow(1, 4, 7, 1), slow(17, 5, 3, 4), (9, 64, 5, 3)])
def test_fast_equals_meaning_with_gradients(form, length, window, before, shared):
  arrays = cache_after(before, window), *inputs(length, shared=shared)
  assert_close(score_and_gradients(FAST[form], *arrays), score_and_gradients(attention.in_turn, *arrays))


@pytest.mark.parametrize('scores, block, shared', [
    (1, 4, 1), (100, 3, 2), (10**6, 2, 1), (attention.SCORES, attention.BLOCK, 1)])
def test_groups_of_blocks_change_nothing(monkeypatch, scores, block, shared):
  """However few scores are alive at once, and however many blocks a window reaches over."""
  monkeypatch.setattr(attention, 'PART_SCORES', 0)
  monkeypatch.setattr(attention, 'CPU_SCORES', scores * BATCH * HEADS)
  monkeypatch.setattr(attention, 'CPU_BLOCK', block)
  for window in (3, 10):
    arrays = cache_after(12, window), *inputs(17, shared=shared)
    form = lambda *args: attention.blocks(*args)
    assert_close(score_and_gradients(form, *arrays), score_and_gradients(attention.dense, *arrays))


@pytest.mark.parametrize('part, length, scores, shared', [
    (1, 6, 10**6, 1), (4, 9, 1, 3), (16, 17, 10**6, 2), (17, 17, 1, 1)])
def test_parts_change_nothing(monkeypatch, part, length, scores, shared):
  """However many queries a part has, and whether its scores are kept or made again."""
  monkeypatch.setattr(attention, 'PART', part)
  monkeypatch.setattr(attention, 'PARTS', 17)
  monkeypatch.setattr(attention, 'CPU_SCORES', scores * BATCH * HEADS)
  for window in (3, length + 1):
    arrays = cache_after(12, window), *inputs(length, shared=shared)
    form = lambda *args: attention.blocks(*args)
    assert_close(score_and_gradients(form, *arrays), score_and_gradients(attention.dense, *arrays))


@pytest.mark.parametrize('scores, block, in_parts', [
    (1, 4, 0), slow(attention.SCORES, attention.BLOCK, 0), (1, 4, 2**20)])
@pytest.mark.parametrize('window', [3, 40])
def test_a_cache_that_no_document_goes_on_from_is_not_looked_at(monkeypatch, window, scores, block, in_parts):
  monkeypatch.setattr(attention, 'PART_SCORES', in_parts)
  monkeypatch.setattr(attention, 'PART', 5)
  monkeypatch.setattr(attention, 'CPU_SCORES', scores * BATCH * HEADS)
  monkeypatch.setattr(attention, 'CPU_BLOCK', block)
  q, k, v, reset, real, prefix = inputs(17)
  reset[:, 0] = True
  cache = cache_after(12, window)
  form = lambda *args: attention.blocks(*args)
  got = score_and_gradients(form, cache, q, k, v, reset, real, prefix)
  # The row without a token keeps what it had; the others' is not read, so that it may hold anything.
  spoilt = {name: cache[name].at[:2].set(jnp.nan) for name in 'kv'}
  assert_close(got, score_and_gradients(attention.dense, cache, q, k, v, reset, real, prefix))
  assert_finite(attention.blocks(cache | spoilt, q, k, v, reset, real, prefix)[1])


def test_no_prefix_is_no_prefix():
  q, k, v, reset, real, _ = inputs(9)
  want = attention.in_turn(cache_after(5, 4), q, k, v, reset, real)
  for form in FAST.values():
    cache, y = form(cache_after(5, 4), q, k, v, reset, real)
    assert_close(cache, want[0])
    assert_close(jnp.where(real[..., None, None], y, 0), jnp.where(real[..., None, None], want[1], 0))


def test_a_token_that_sees_only_itself_answers_its_value():
  q, k, v, *_ = inputs(6)
  every = np.ones((BATCH, 6), bool)
  for form in (attention.in_turn, *FAST.values()):
    _, y = form(cache_after(0, 4), 1e3 * q, k, v, every, every)
    assert_close(y, v)


def test_loud_queries_stay_finite():
  q, k, v, reset, real, prefix = inputs(17)
  for form in (attention.in_turn, *FAST.values()):
    assert_finite(score_and_gradients(form, cache_after(3, 5), 1e6 * q, k, 1e6 * v, reset, real, prefix))


def test_scores_of_a_prefix_are_of_the_keys_that_heads_share():
  q, _, _, _, _, _ = inputs(5, shared=3)
  k_PGK = jax.random.normal(jax.random.key(9), (PREFIX, HEADS, WIDTH), jnp.float64)
  got = attention.scores(q, k_PGK)
  for h in range(3 * HEADS):
    assert_close(got[:, :, h], q[:, :, h] @ k_PGK[:, h // 3].T / np.sqrt(WIDTH))


def test_shared_keys_are_not_repeated():
  """Sixteen heads that share one take no more keys' memory than two that do."""
  def temp(heads):
    shape = lambda heads: jax.ShapeDtypeStruct((1, 1, heads, 64), jnp.float32)
    cache = jax.eval_shape(lambda: attention.init_cache(1, 4096, 1, 64, jnp.float32))
    flag = jax.ShapeDtypeStruct((1, 1), bool)
    read = lambda cache, q, k, v, flag: attention.in_turn(cache, q, k, v, flag, ~flag)[1]
    return jax.jit(read).lower(cache, shape(heads), shape(1), shape(1), flag).compile(
        ).memory_analysis().temp_size_in_bytes
  assert temp(16) - temp(2) < 4096 * 64 * 4


@pytest.mark.parametrize('length, window, share', [(2**13, 512, 1), (2**10, 2**10, 3.5)])
def test_scores_are_never_all_alive(length, window, share):
  """A long row takes less than one number for each token and place in its window, forward and backward; one that is
  read in parts a few, and none between the two."""
  cache = jax.eval_shape(lambda: attention.init_cache(1, window, 1, 8, jnp.float32))
  x = jax.ShapeDtypeStruct((1, length, 1, 8), jnp.float32)
  flag = jax.ShapeDtypeStruct((1, length), bool)
  def score(q, k, v, cache, reset, real):
    return jnp.sum(jnp.sin(attention.blocks(cache, q, k, v, reset, real)[1]))
  compiled = jax.jit(jax.grad(score, argnums=(0, 1, 2))).lower(x, x, x, cache, flag, flag).compile()
  assert compiled.memory_analysis().temp_size_in_bytes < 4 * share * length * window


def test_positions_count_from_the_documents_start():
  reset = np.array([[0, 0, 1, 0, 0, 1], [1, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], bool)
  want = [[7, 8, 0, 1, 2, 0], [0, 1, 2, 3, 0, 0], [0, 1, 2, 3, 4, 5]]
  np.testing.assert_array_equal(attention.positions(jnp.array([7, 4, 0]), reset), want)
