"""Thinking between question and answer: passes against a carry are passes over everything, and rows stay apart."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING, THOUGHT
from latentmem.model.latent import Stream
from tests.cases import slow
from tests.checks import assert_close
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')
QUESTION, THOUGHTS, REST = 5, 2, 3
FEEDS = ('feedback', 'stream', 'state', 'pause', 'none')


@functools.cache
def thinker(feed, **chosen):
  """A small model in float64 that thinks so, and its parameters."""
  held = dict(kind='after', mixer=dict(kind='attention', heads=2, window=32)) if feed == 'state' else dict(
      kind='attention', heads=2, window=32)
  state = dict(kind='token_state', recurrence='full', state=4, stride=2, kept=3, chunk=4, heads=2)
  it = model.make('latent', vocab=11, width=8, layers=1, dtype='float64', state_dtype='float64', feed=feed,
                  question=QUESTION, thoughts=0 if feed == 'none' else THOUGHTS, compose=held,
                  memory=state if feed == 'state' else dict(kind='none'), **chosen)
  return it, subjects.params_of(it)


def rows_of(thoughts: int, count=(2, 1)):
  """Rows with questions of 5 and 2 tokens, so many thoughts, and rests of 3 and 2."""
  rng = np.random.default_rng(0)
  rows_BT = rng.integers(0, 11, (2, QUESTION + thoughts + REST)).astype(np.int32)
  for row, size, thinks, rest in zip(rows_BT, (5, 2), count, (3, 2)):
    row[size:QUESTION] = NOTHING
    row[QUESTION:QUESTION + thoughts] = NOTHING
    row[QUESTION:QUESTION + min(thinks, thoughts)] = THOUGHT
    row[QUESTION + thoughts + rest:] = NOTHING
  return rows_BT


def reader(it):
  """(params, rows_BT) -> logits [B, A, V] of the rest."""
  fresh = lambda params, rows_BT: it.apply(params, len(rows_BT), method='init_state')
  return jax.jit(lambda params, rows_BT: it.apply(
      params, fresh(params, rows_BT), rows_BT)[1][:, it.question + it.thoughts:])


def read(it, params, rows_BT):
  return reader(it)(params, rows_BT)


def again_and_again(it, params, row_T):
  """The same for one row by the meaning: every pass reads all that came before it from a fresh carry."""
  words_T = [int(t) for t in row_T if t >= 0]
  asked, thinks = sum(t >= 0 for t in row_T[:QUESTION]), int(sum(row_T == THOUGHT))
  embed = lambda tokens: it.apply(params, jnp.asarray([tokens]), method='embedded')
  through = lambda x: it.apply(params, it.apply(params, 1, method='init_state'), x, method='through', parallel=False)[1]
  x, stream = embed(words_T[:asked]), jnp.zeros(it.width)
  for k in range(thinks):
    h = through(x)[0, -1]
    if it.feed == 'stream':
      gates, h, stream = agclr(params['params']['stream'], h, stream)
    x = jnp.concatenate([x, params['params']['pause'][k][None, None] if it.feed == 'pause' else h[None, None]], axis=1)
  x = jnp.concatenate([x, embed(words_T[asked:])], axis=1)
  return it.apply(params, through(x)[:, asked + thinks:], method='logits')[0]


def layer_norm(x, p):
  return (x - x.mean()) / jnp.sqrt(x.var() + 1e-5) * p['scale'] + p['bias']


def agclr(p, h, c):
  """The published rule -> gates, h', c."""
  g = layer_norm(h, p['gate_norm'])
  r, f, w = (1 / (1 + jnp.exp(-(g @ p['gates'][:, i] + p['bias'][i]))) for i in range(3))
  h = (1 - f) * h + r * c
  return (r, f, w), h, layer_norm(c + w * h, p['stream_norm'])


def weights_of(feed):
  """What the logits [B, A, V] of a feed's rows count: of the dearest, the row with padding alone."""
  weight_BAV = np.random.default_rng(1).standard_normal((2, REST, 11))
  weight_BAV[0] *= feed not in ('stream', 'state')
  return weight_BAV


@functools.cache
def scored(feed, **chosen):
  """A number of all that is answered, and its gradient."""
  it, params = thinker(feed, **chosen)
  rows_BT = rows_of(it.thoughts, count=(1, 2))
  weight_BAV = weights_of(feed) * (rows_BT[:, -REST:] >= 0)[..., None]
  return jax.jit(jax.value_and_grad(lambda params: jnp.sum(read(it, params, rows_BT) * weight_BAV)))(params)


@pytest.mark.parametrize('feed', [*FEEDS[:-1], slow('none')])
def test_thoughts_against_a_carry_are_passes_over_everything(feed):
  it, params = thinker(feed)
  rows_BT, weight_BAV = rows_of(it.thoughts, count=(1, 2)), weights_of(feed)

  def plain(params):
    rows = {b: again_and_again(it, params, rows_BT[b]) for b in (0, 1) if np.any(weight_BAV[b])}
    return sum(jnp.sum(logits_AV * weight_BAV[b, :len(logits_AV)]) for b, logits_AV in rows.items())

  value, slopes = scored(feed)
  wanted, wanted_slopes = jax.jit(jax.value_and_grad(plain))(params)
  assert_close(value, wanted)
  jax.tree.map(assert_close, slopes, wanted_slopes)


def test_the_stream_is_the_published_rule_in_numpy():
  stream = Stream(width=6)
  rng = np.random.default_rng(0)
  h_KD = rng.standard_normal((4, 6))
  p = jax.tree.map(np.asarray, subjects.filled(jax.eval_shape(
      lambda: stream.init(jax.random.key(0), h_KD[:1], h_KD[:1], jnp.zeros(1, jnp.int32)))))
  c_B = want_c = np.zeros((1, 6))
  want_c = want_c[0]
  for k, h_D in enumerate(h_KD):
    next_BD, c_B, gates_B3D = stream.apply(p, h_D[None], c_B, jnp.full(1, k))
    gates, want_D, want_c = agclr(p['params'], h_D, want_c)
    r, f, w = map(np.asarray, gates)
    assert_close(gates_B3D[0], np.stack([r, f, w]))
    assert_close(next_BD[0], want_D)
    assert_close(c_B[0], want_c)


def test_the_stream_starts_as_published():
  stream = Stream(width=6)
  params = stream.init(jax.random.key(0), jnp.ones((1, 6)), jnp.ones((1, 6)), jnp.zeros(1, jnp.int32))
  gates_B3D = stream.apply(params, jnp.ones((1, 6)), jnp.ones((1, 6)), jnp.zeros(1, jnp.int32))[2]
  np.testing.assert_allclose(gates_B3D[0].mean(-1), [0.43, 0.27, 0.18], atol=0.005)


@pytest.mark.parametrize('without, gate', [('read', 0), ('forget', 1), ('write', 2)])
def test_a_part_left_out_is_a_gate_at_zero_and_the_others_stay(without, gate):
  args = jnp.ones((1, 6)), jnp.ones((1, 6)), jnp.zeros(1, jnp.int32)
  params = subjects.filled(jax.eval_shape(lambda: Stream(width=6).init(jax.random.key(0), *args)))
  whole = Stream(width=6).apply(params, *args)[2]
  less = Stream(width=6, without=without).apply(params, *args)[2]
  np.testing.assert_array_equal(less, whole.at[:, gate].set(0))


def test_writing_ends_after_so_many_thoughts():
  args = lambda count: (jnp.ones((1, 6)), jnp.linspace(0, 1, 6)[None], jnp.full(1, count))
  params = subjects.filled(jax.eval_shape(lambda: Stream(width=6).init(jax.random.key(0), *args(0))))
  frozen = Stream(width=6, write_until=2)
  for count, same in ((0, False), (1, False), (2, True), (3, True)):
    assert bool(jnp.all(frozen.apply(params, *args(count))[1] == args(count)[1])) == same


def test_a_state_is_held_after_so_many_thoughts():
  it, params = thinker('state')
  rows_BT = rows_of(THOUGHTS, count=(2, 2))
  held, asked_BQ = it.lacking('write,forget'), rows_BT[:, :QUESTION]
  call = lambda it, method, *args: jax.jit(functools.partial(it.apply, method=method))(params, *args)
  carry = it.apply(params, 2, method='init_state')
  carry, thought = call(it, 'ask', carry, asked_BQ, None, asked_BQ >= 0)
  carry, thought = call(it, 'think', carry, thought)
  rest_BA = rows_BT[:, -REST:]
  after = call(held, 'reply', carry, thought, np.ones((2, 1), bool), rest_BA, rest_BA >= 0)[1]
  frozen = read(it.lacking(write_until=1), params, rows_BT)
  assert_close(frozen[rest_BA >= 0], after[rest_BA >= 0])
  assert not np.allclose(frozen, read(it, params, rows_BT))
  one_B, token_B1 = np.ones(2, np.int32), rest_BA[:, :1]
  go_on = lambda it, after_B: call(it, 'go_on', carry, token_B1, after_B)[1]
  assert_close(go_on(it.lacking(write_until=1), one_B), go_on(held, one_B))
  assert_close(go_on(it.lacking(write_until=2), one_B), go_on(it, one_B))


@pytest.mark.parametrize('feed', ['feedback', slow('state'), slow('pause')])
def test_an_answer_does_not_depend_on_padding_or_on_other_rows(feed):
  it, params = thinker(feed)
  rows_BT = rows_of(it.thoughts)
  answers = reader(it)
  together = answers(params, rows_BT)
  for b, row_T in enumerate(rows_BT):
    real_A = row_T[-REST:] >= 0
    assert_close(answers(params, rows_BT[b:b + 1])[0][real_A], together[b][real_A])
  wide = it.clone(question=QUESTION + 3)
  more_BT = np.insert(rows_BT, [QUESTION] * 3, NOTHING, axis=1)
  padded = read(wide, params, more_BT)
  real_BA = rows_BT[:, -REST:] >= 0
  assert_close(padded[real_BA], together[real_BA])


def test_a_row_need_not_think():
  it, params = thinker('feedback')
  rows_BT = rows_of(THOUGHTS, count=(0, 2))
  assert_close(read(it, params, rows_BT)[0], again_and_again(it, params, rows_BT[0]))


def test_more_thoughts_are_another_answer():
  it, params = thinker('feedback')
  few, many = (read(it, params, rows_of(THOUGHTS, count=(n, n))) for n in (1, 2))
  assert float(jnp.abs(few - many).max()) > 1e-3


def test_every_thought_passes_gradients_back():
  it, params = thinker('feedback')
  rows_BT = jnp.asarray(rows_of(THOUGHTS, count=(THOUGHTS,) * 2))
  asked_BQ, first_B1 = rows_BT[:, :QUESTION], rows_BT[:, -REST:-REST + 1]
  rng = np.random.default_rng(0)
  push_KD, weight_V = rng.standard_normal((THOUGHTS, 8)), rng.standard_normal(11)

  def answered(scale_K):
    carry, thought = it.apply(params, it.apply(params, 2, method='init_state'), asked_BQ, None, asked_BQ >= 0,
                              method='ask')
    for k in range(THOUGHTS):
      if k:
        carry, thought = it.apply(params, carry, thought, method='think')
      thought = thought._replace(next_BND=thought.next_BND + scale_K[k] * push_KD[k])
    return jnp.sum(it.apply(params, carry, thought, jnp.ones((2, 1), bool), first_B1, method='reply')[1] * weight_V)

  assert bool(jnp.all(jnp.abs(jax.jit(jax.grad(answered))(jnp.zeros(THOUGHTS))) > 1e-4))


def test_remat_changes_nothing():
  assert thinker('stream')[0].remat == 'full'
  jax.tree.map(assert_close, scored('stream', remat='none'), scored('stream'))


def test_question_and_thoughts_have_no_logits():
  it, params = thinker('feedback')
  logits = it.apply(params, it.apply(params, 2, method='init_state'), jnp.asarray(rows_of(THOUGHTS)))[1]
  assert logits.shape == (2, QUESTION + THOUGHTS + REST, 11)
  assert not logits[:, :QUESTION + THOUGHTS].any()


@pytest.mark.parametrize('chosen, said', [
    (dict(feed='feedbak'), "has no feed 'feedbak' .did you mean 'feedback'"),
    (dict(feed='none', thoughts=2), 'thoughts unless feed'),
    (dict(feed='pause', thoughts=0), 'thoughts unless feed'),
    (dict(question=0), 'question of 1 token'),
    (dict(feed='stream', without='raed'), "has no part 'raed' .did you mean 'read'"),
    (dict(feed='feedback', without='read'), "for feed='stream'"),
    (dict(feed='pause', write_until=1), "write_until for it and 'state'"),
    (dict(feed='state'), "needs the memory token_state; it has 'none'"),
])
def test_what_does_not_fit_is_refused(chosen, said):
  small = dict(vocab=11, width=8, layers=1, compose=dict(kind='attention', heads=2))
  it = model.make('latent', **small | chosen)
  with pytest.raises(InputError, match=said):
    jax.eval_shape(functools.partial(model.interface.init_params, it), jax.random.key(0))


def test_a_row_without_room_for_an_answer_is_refused():
  it, params = thinker('feedback')
  with pytest.raises(InputError, match='A row of 7 tokens has no room for a question of 5, 2 thoughts'):
    it.apply(params, it.apply(params, 2, method='init_state'), jnp.zeros((2, 7), jnp.int32))
