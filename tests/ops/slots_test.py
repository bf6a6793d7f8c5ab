"""Retrieving, reasoning and writing, against loops over rows, slots, tokens and heads in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import slots
from tests.checks import assert_close
from tests.memory import slots_in_numpy as plain

pytestmark = pytest.mark.usefixtures('x64')

BATCH, TOKENS, SLOTS, OPENED, WIDTH, HEADS = 2, 4, 5, 2, 6, 2
reason, columns = jax.jit(slots.reason), jax.jit(slots.columns)
write = jax.jit(slots.write, static_argnames='compete')
settle = jax.jit(slots.settle, static_argnames='steps')
trajectory = jax.jit(slots.trajectory, static_argnames=('start', 'compete', 'write_back'))
LIVE = np.array([[True, True, False, True, True], [False] * 5])


def drawn(seed=0):
  """Weights, slots and tokens."""
  rng = np.random.default_rng(seed)
  shapes = dict(query=(WIDTH, HEADS, WIDTH // HEADS), keys=(WIDTH, 2, HEADS, WIDTH // HEADS), sharp=(HEADS,),
                up=(2 * WIDTH, 7), down=(7, WIDTH), keep=(2 * WIDTH, HEADS), ask=(WIDTH, WIDTH), offer=(WIDTH, WIDTH),
                sharp_write=(), share=(OPENED + 1, TOKENS), drain=(WIDTH,), write=(2 * WIDTH,), write_bias=(),
                settle_bias=(HEADS,))
  weights = {name: np.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
  return weights, rng.normal(size=(BATCH, SLOTS, WIDTH)), rng.normal(size=(BATCH, TOKENS, WIDTH)), rng


def test_steps_in_a_loop():
  weights, s, z, rng = drawn()
  odds = rng.normal(size=(3, BATCH, TOKENS, HEADS))
  got, read, last, gates = reason(weights, z, columns(weights, s), LIVE, odds)
  for b in range(BATCH):
    for t in range(TOKENS):
      now, total = z[b, t], 0
      for r in range(3):
        now, a, g = plain.step(weights, now, s[b], LIVE[b], odds[r, b, t])
        total = total + a.mean(0)
      assert_close(got[b, t], now)
      assert_close((read[b, t], last[b, t], gates[b, t]), (total, a, g))


@pytest.mark.parametrize('compete', slots.COMPETE)
def test_writing_in_a_loop(compete):
  weights, s, z, _ = drawn(1)
  opened = np.zeros((BATCH, SLOTS, OPENED))
  opened[0, 3, 0] = opened[0, 1, 1] = 1
  written = np.array([[1.0, 0, 1, 1], [1, 1, 1, 1]])
  got, gates, given = write(weights, s, LIVE, opened, z, written, compete=compete)
  for b in range(BATCH):
    want = plain.write(weights, s[b], LIVE[b], opened[b], z[b], written[b], compete)
    assert_close((got[b], gates[b], given[b]), want)
  assert_close(got[1], s[1])


@pytest.mark.parametrize('compete', slots.COMPETE)
def test_nothing_written_changes_nothing(compete):
  weights, s, z, _ = drawn(2)
  got, gates, _ = write(weights, s, LIVE, np.zeros((BATCH, SLOTS, OPENED)), z, np.zeros((BATCH, TOKENS)),
                        compete=compete)
  np.testing.assert_array_equal(got, s)
  assert not np.any(np.asarray(gates))
  slopes = jax.grad(lambda s: jnp.sum(write(weights, s, LIVE, np.zeros((BATCH, SLOTS, OPENED)), z,
                                            np.zeros((BATCH, TOKENS)), compete=compete)[0]))(s)
  assert np.isfinite(slopes).all()


def test_with_competition_a_token_is_shared_out_and_no_more():
  weights, s, z, _ = drawn(3)
  _, _, given = write(weights, s, np.ones((BATCH, SLOTS), bool), np.zeros((BATCH, SLOTS, OPENED)), z,
                            np.ones((BATCH, TOKENS)), compete='slots')
  total = np.asarray(given).sum(1)
  assert np.all(total < 1) and np.all(total > 0)


def test_settling_in_a_loop():
  weights, s, _, _ = drawn(4)
  got = settle(weights, s, LIVE, steps=2)
  want = s.copy()
  for _ in range(2):
    told = [plain.step(weights, want[0, n], want[0], LIVE[0], weights['settle_bias'])[0] for n in range(SLOTS)]
    want[0] = np.where(LIVE[0][:, None], told, want[0])
  assert_close(got, want)


@pytest.mark.parametrize('compete', slots.COMPETE)
def test_a_trajectory_in_a_loop_and_taken_up_anywhere(compete):
  weights, s, z, rng = drawn(5)
  odds = rng.normal(size=(3, BATCH, TOKENS, HEADS))
  begun = dict(slots=s[None], thoughts=z[None], usage=np.zeros((1, BATCH, SLOTS)), live=LIVE)
  told = trajectory(weights, begun, start=0, odds=odds, compete=compete, write_back=True)
  own, thoughts, use = s[0], z[0], np.zeros(SLOTS)
  for r in range(3):
    moved = [plain.step(weights, thoughts[t], own, LIVE[0], odds[r, 0, t]) for t in range(TOKENS)]
    thoughts = np.stack([each[0] for each in moved])
    use = use + sum(each[1].mean(0) for each in moved)
    own, gates, _ = plain.write(weights, own, LIVE[0], np.zeros((SLOTS, OPENED)), thoughts, np.ones(TOKENS), compete)
    for name, want in dict(slots=own, thoughts=thoughts, usage=use).items():
      assert_close(told[name][r + 1, 0], want)
    assert_close(told['written'][r, 0], gates)
    assert_close(told['weights'][r, 0], np.stack([each[1] for each in moved]))
    assert_close(told['gates'][r, 0], np.stack([each[2] for each in moved]))
  for start in (1, 2, 3):
    again = trajectory(weights, told, start=start, odds=odds[start:], compete=compete, write_back=True)
    assert_close(again, told)
  kept = trajectory(weights, begun, start=0, odds=odds, compete=compete, write_back=False)
  assert_close(kept['slots'], np.broadcast_to(s, kept['slots'].shape))
