"""Answers are what the model's likeliest tokens are, alone or in a batch, and thinking ends when it should."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING, THOUGHT
from latentmem.session.answering import Answerer
from tests.model import subjects

QUESTION, THOUGHTS, LONGEST, END, STOP = 5, 3, 4, 1, 3
READ = {}


@functools.cache
def thinker(feed):
  it = model.make('latent', vocab=11, width=8, layers=1, feed=feed, question=QUESTION, remat='none',
                  thoughts=0 if feed == 'none' else THOUGHTS, compose=dict(kind='attention', heads=2, window=32),
                  memory=dict(kind='none'))
  params = jax.tree.map(lambda a: 3 * a.astype(jnp.float32), subjects.params_of(it))
  return it, params


def questions():
  rows_BQ = np.random.default_rng(0).integers(4, 11, (6, QUESTION)).astype(np.int32)
  for row, size in zip(rows_BQ, (5, 3, 4, 1, 5, 2)):
    row[size:] = NOTHING
  return rows_BQ


@functools.cache
def answerer(feed, **chosen):
  return Answerer(*thinker(feed), **dict(dict(end=END, stop=STOP, longest=LONGEST), **chosen))


def read(it):
  if it.feed not in READ:
    READ[it.feed] = jax.jit(lambda params, row_T: it.apply(params, it.apply(params, 1, method='init_state'), row_T)[1])
  return READ[it.feed]


def likeliest(it, params, question_Q, thoughts):
  """The answer by whole rows, what is said so far read again for every token; and whether it ends by itself."""
  said, begins = [], QUESTION + it.thoughts
  mind = [THOUGHT] * thoughts + [NOTHING] * (it.thoughts - thoughts)
  while True:
    row_T = np.full((1, begins + LONGEST + 1), NOTHING, np.int32)
    row_T[0, :begins + 1 + len(said)] = [*question_Q, *mind, END, *said]
    token = int(jnp.argmax(read(it)(params, row_T)[0, begins + len(said)]))
    if token == STOP or len(said) == LONGEST:
      return said, token == STOP
    said.append(token)


@pytest.mark.parametrize('feed, thoughts', [('feedback', 3), ('feedback', 1), ('stream', 2), ('pause', 2), ('none', 0)])
def test_an_answer_is_the_likeliest_by_whole_rows_and_the_same_alone(feed, thoughts):
  together = answerer(feed)(questions(), thoughts)
  for b, question_Q in enumerate(questions()):
    want, ends = likeliest(*thinker(feed), question_Q, thoughts)
    tokens_A = np.asarray(together.tokens_BA[b])
    assert tokens_A[tokens_A != NOTHING].tolist() == want
    assert together.said_B[b] == len(want) + ends and together.cut_B[b] != ends
    assert together.thoughts_B[b] == thoughts


@pytest.mark.parametrize('ends', [(END, 2), (7, 1), (7, 2)])
def test_an_answer_of_known_length_needs_no_stop(ends):
  free, counted = answerer('pause')(questions()), answerer('pause', ends=ends)(questions())
  ways = set()
  for b in range(len(questions())):
    said, way = counted_off(free.tokens_BA[b][free.tokens_BA[b] != NOTHING].tolist(), *ends, free.cut_B[b])
    ways.add(way)
    assert counted.tokens_BA[b].tolist() == said + [NOTHING] * (LONGEST - len(said))
    assert counted.said_B[b] == len(said) + (way == 'stop') and counted.cut_B[b] == (way == 'cut')
  assert 'counted' in ways and len(ways) > 1


def counted_off(said, say, many, cut):
  """What is left of an answer that the `many`-th token after the last `say` ends, and what ended it."""
  left = many if say == END else None
  for i, token in enumerate(said):
    left = many if token == say else left and left - 1
    if left == 0:
      return said[:i + 1], 'counted'
  return said, 'cut' if cut else 'stop'


def test_the_subjects_answer_in_several_ways():
  """Else the test above would say little."""
  said = np.concatenate([answerer(feed)(questions()).said_B for feed in ('feedback', 'stream', 'pause', 'none')])
  assert len(set(said.tolist())) > 1


def test_the_trail_is_what_each_pass_had_in_mind():
  it, params = thinker('stream')
  answers = answerer('stream')(questions(), 2)
  carry, thought = it.apply(params, it.apply(params, 6, method='init_state'), questions(), None, questions() >= 0,
                            method='ask')
  np.testing.assert_allclose(answers.h_BKD[:, 0], thought.h_BD, rtol=2e-5, atol=1e-5)
  np.testing.assert_allclose(answers.held_BKE[:, 0], thought.stream_BD, rtol=2e-5, atol=1e-5)
  _, thought = it.apply(params, carry, thought, method='think')
  np.testing.assert_allclose(answers.h_BKD[:, 1], thought.h_BD, rtol=2e-5, atol=1e-5)
  np.testing.assert_allclose(answers.held_BKE[:, 1], thought.stream_BD, rtol=2e-5, atol=1e-5)
  np.testing.assert_allclose(answers.gates_BK3[:, 1], thought.gates_B3, rtol=2e-5, atol=1e-5)
  assert not answers.h_BKD[:, 2].any() and answers.gates_BK3[:, :2].all()
  assert not answerer('stream')(questions(), 0).h_BKD.any() and not answerer('pause')(questions()).h_BKD.any()


@functools.cache
def stateful():
  it = model.make('latent', vocab=11, width=8, layers=2, feed='state', question=QUESTION, remat='none', thoughts=2,
                  compose=dict(kind='after', mixer=dict(kind='attention', heads=2, window=32)),
                  memory=dict(kind='token_state', recurrence='full', state=4, kept=0, stride=1, chunk=1))
  return it, jax.tree.map(lambda a: 3 * a.astype(jnp.float32), subjects.params_of(it))


def test_the_trail_of_a_state_has_that_of_every_layer():
  it, params = stateful()
  answers = Answerer(it, params, END, STOP, 1, watched=True)(questions())
  carry, thought = it.apply(params, it.apply(params, 6, method='init_state'), questions(), None, questions() >= 0,
                            method='ask')
  (carry, _), told = it.apply(params, carry, thought, method='think', mutable=['telemetry'])
  told = told['telemetry']['block']['mixer']['memory']
  for gate, want_LB11 in zip(np.moveaxis(answers.gates_BK3[:, 1], 1, 0), (1.0, 1 - told['keep'], told['write'])):
    np.testing.assert_allclose(gate, np.mean(want_LB11 * np.ones((2, 6, 1, 1)), 0)[:, 0, 0], rtol=2e-5, atol=1e-5)
  for layer, c_BM in enumerate(carry['memory']['cell']['c']):
    np.testing.assert_allclose(answers.held_BKE[:, 1, 4 * layer:4 * layer + 4], c_BM, rtol=2e-5, atol=1e-5)
  assert answers.held_BKE.shape == (6, 2, 8) and answers.held_BKE[:, 1].any()
  assert answerer('pause')(questions()).held_BKE.shape == (6, THOUGHTS, 0)


def test_watching_a_state_changes_no_answer_and_is_of_the_last_real_token():
  it, params = stateful()
  plain, watched = (Answerer(it, params, END, STOP, LONGEST, watched=each)(questions()) for each in (False, True))
  for name, a in plain._asdict().items():
    if name != 'gates_BK3':
      np.testing.assert_allclose(a, getattr(watched, name), rtol=2e-5, atol=1e-5)
  assert not plain.gates_BK3.any()
  moved = np.stack([np.roll(row, QUESTION - np.sum(row != NOTHING)) for row in questions()])
  again = Answerer(it, params, END, STOP, LONGEST, watched=True)(moved)
  np.testing.assert_allclose(watched.gates_BK3, again.gates_BK3, rtol=2e-5, atol=1e-5)
  assert len(np.unique(np.round(watched.gates_BK3[:, 0, 1], 5))) > 1


def test_thinking_ends_where_thoughts_stand_still():
  calm = answerer('feedback', still=1e6)(questions())
  assert calm.stilled_B.all() and (calm.thoughts_B == 2).all()
  assert not answerer('feedback', still=1e6)(questions(), 2).stilled_B.any()
  one_by_one = [answerer('feedback', still=0.5)(questions()[b:b + 1]) for b in range(6)]
  some = answerer('feedback', still=0.5)(questions())
  np.testing.assert_array_equal(some.thoughts_B, [a.thoughts_B[0] for a in one_by_one])
  np.testing.assert_array_equal(some.tokens_BA, [a.tokens_BA[0] for a in one_by_one])
  never = answerer('feedback')(questions())
  assert not never.stilled_B.any() and (never.thoughts_B == THOUGHTS).all()


def test_costs_are_counted_part_by_part():
  costs = {feed: answerer(feed).costs() for feed in ('feedback', 'pause', 'none')}
  assert costs['feedback']['thought'] > 0 and costs['pause']['thought'] == costs['none']['thought'] == 0
  assert costs['none']['first'] < costs['feedback']['first'] < costs['pause']['first']
  assert all(cost['question'] > cost['token'] > 0 for cost in costs.values())


def test_what_the_model_is_not_built_for_is_refused_before_compiling():
  for thoughts in (4, -1, 2.5):
    with pytest.raises(InputError, match=f'whole number of thoughts up to 3, not {thoughts}'):
      answerer('feedback')(questions(), thoughts)
  with pytest.raises(InputError, match=r'shape \[6, 4\]; they take 5 tokens each'):
    answerer('feedback')(questions()[:, :4])
  with pytest.raises(InputError, match='longest >= 1'):
    Answerer(*thinker('none'), end=END, stop=STOP, longest=0)
