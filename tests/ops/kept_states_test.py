"""States kept on the way: all tokens at once against one query after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import kept_states
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')

BATCH, CHUNK, PER, SEEN, HEADS, WIDE = 3, 6, 2, 3, 2, 4
STRIDE = CHUNK // PER


def columns(rng, count):
  return {name: rng.normal(size=(BATCH, count, HEADS, WIDE)) for name in 'kv'}


def in_turn(kept, new, q_BTHK, already_B, held_B, begins_BN):
  """Token after token: a state joins what is kept at the end of its stride; a document begins with nothing."""
  out = np.zeros_like(q_BTHK)
  for b in range(BATCH):
    here = [(kept['k'][b, i], kept['v'][b, i]) for i in range(SEEN)][SEEN - held_B[b]:]
    for t in range(q_BTHK.shape[1]):
      if t % CHUNK == 0 and begins_BN[b, t // CHUNK]:
        here = []
      place = (t + 1) // STRIDE - 1
      if (t + 1) % STRIDE == 0 and place >= already_B[b]:
        here = [*here, (new['k'][b, place], new['v'][b, place])][-SEEN:]
      for h in range(HEADS if here and t >= already_B[b] * STRIDE else 0):
        score = np.array([q_BTHK[b, t, h] @ k[h] for k, _ in here]) * WIDE ** -0.5
        share = np.exp(score - score.max())
        out[b, t, h] = sum(s * v[h] for s, (_, v) in zip(share / share.sum(), here))
  return out


def test_all_tokens_at_once_read_what_they_read_in_turn():
  rng = np.random.default_rng(0)
  kept, new = columns(rng, SEEN), columns(rng, 4 * PER)
  q = rng.normal(size=(BATCH, 4 * CHUNK, HEADS, WIDE))
  already, held = np.array([0, 1, 1]), np.array([2, 3, 1])
  begins = np.zeros((BATCH, 4), bool)
  begins[0, 2] = begins[2, 1] = begins[2, 3] = True
  grid = kept_states.on_grid(jax.tree.map(jnp.asarray, kept), jax.tree.map(jnp.asarray, new), jnp.asarray(already))
  start = np.maximum.accumulate(np.where(begins, np.arange(4) * PER, -SEEN), axis=1)
  first = np.maximum(start, (already - held)[:, None])
  got = np.array(kept_states.read(jnp.asarray(q), grid, jnp.asarray(first), CHUNK, SEEN))
  want = in_turn(kept, new, q, already, held, begins)
  # Tokens before the first real one mean nothing.
  real = np.arange(q.shape[1]) >= already[:, None] * STRIDE
  assert_close(got[real], want[real])


def test_one_query_reads_a_softmax_over_what_is_seen_and_zero_of_nothing():
  rng = np.random.default_rng(1)
  q, k, v = rng.normal(size=(HEADS, WIDE)), *rng.normal(size=(2, SEEN, HEADS, WIDE))
  seen = np.array([False, True, True])
  score = np.einsum('hk,mhk->hm', q, k)[:, 1:] * WIDE ** -0.5
  share = np.exp(score) / np.exp(score).sum(-1, keepdims=True)
  assert_close(kept_states.attend(q, k, v, seen), np.einsum('hm,mhk->hk', share, v[1:]))
  read = lambda q: jnp.sum(kept_states.attend(q, k, v, np.zeros(SEEN, bool)))
  assert read(q) == 0 and not np.any(np.asarray(jax.grad(read)(q)))


def test_the_newest_is_last():
  kept = dict(k=np.arange(6.0).reshape(2, 3, 1))
  moved = kept_states.keep(kept, dict(k=np.array([[9.0], [9.0]])), np.array([True, False]))
  assert np.asarray(moved['k'])[..., 0].tolist() == [[1, 2, 9], [3, 4, 5]]
