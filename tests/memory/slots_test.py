"""Slots against a loop in numpy; thinking on demand; what fields do, and which are refused."""

import functools

import jax
import numpy as np
import pytest

from latentmem import memory, tasks
from latentmem.base.errors import InputError
from latentmem.model import compose
from latentmem.ops import slot_growth
from tests import promises
from tests.cases import slow
from tests.checks import assert_close
from tests.memory import in_numpy
from tests.memory import slots_in_numpy as plain
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')

CHUNK = 4
SMALL = dict(slots=5, opened=2, heads=2, latent=6, steps=1, settle=1, inner=7)


def mapped(p, x_TD):
  """Tokens in the slots' space: projection, convolution, norm."""
  z_TM = x_TD @ p['into']
  taps = p['conv']
  return plain.normal(np.stack([sum(taps[-1 - back] * z_TM[t - back] for back in range(len(taps)) if t >= back)
                                for t in range(len(x_TD))]))


def loop(p, x_TD, slots, opened, steps, settle, policy='evict', compete='slots', fade=0.9, write=None, **_):
  """One document, token after token -> y [T, D] and the slots, their ages and use at the end."""
  store = dict(slots=p['start'].copy(), ages=np.full(slots, 0 if opened else 1), usage=np.zeros(slots))
  write = np.ones(len(x_TD)) if write is None else write
  waiting, written, out = [], [], []
  for t, z in enumerate(mapped(p, x_TD)):
    came, live = z, store['ages'] > 0
    for r in range(steps + 1):
      z, a, _ = plain.step(p, z, store['slots'], live, came @ p['pace'][r] + p['keep_bias'][r])
      store['usage'] = store['usage'] + write[t] * a.mean(0)
    out.append((plain.normal(z) * p['norm'] * in_numpy.sigmoid(x_TD[t] @ p['gate'])) @ p['out'])
    waiting, written = [*waiting, z], [*written, write[t]]
    if len(waiting) == CHUNK:
      store['usage'] = fade * store['usage']
      new = np.zeros((slots, opened))
      if any(written):
        new = plain.opened(store, p['start'], opened, policy)
      live = store['ages'] > 0
      store['slots'], _, given = plain.write(
          p, store['slots'], live, new, np.stack(waiting), np.array(written), compete)
      for _ in range(settle):
        told = [plain.step(p, s, store['slots'], live, p['settle_bias'])[0] for s in store['slots']]
        store['slots'] = np.where(live[:, None], told, store['slots'])
      store['usage'], store['ages'] = store['usage'] + given.sum(1), store['ages'] + live
      waiting, written = [], []
  return np.stack(out), store


@pytest.mark.parametrize('fields', [
    dict(), dict(policy='merge', compete='tokens'), dict(policy='keep', settle=0, steps=2),
    slow(dict(opened=0, steps=0))], ids=str)
def test_the_equations_in_a_loop(fields):
  fields = SMALL | fields
  read, start, params, x = in_numpy.setting(memory, 'slots', length=18, **fields)
  p = jax.tree.map(np.asarray, params)
  write = np.arange(18) % 5 > 0
  write[4:8] = False
  for given in (None, write):
    asked = {} if given is None else dict(write_BT=np.broadcast_to(given, (2, 18)))
    want = [loop(p, x_TD, write=given, **fields) for x_TD in x]
    for parallel in (True, False):
      end, y = read(start, x, parallel=parallel, **asked)
      assert_close(y, np.stack([each for each, _ in want]))
      for name in ('slots', 'ages', 'usage'):
        assert_close(end['cell'][name], np.stack([store[name] for _, store in want]))


@functools.cache
def kept(policy, compete):
  """A state that has read two chunks and a token, and what thinks and replays about it."""
  fields = SMALL | dict(policy=policy, compete=compete, steps=2)
  read, start, params, x = in_numpy.setting(memory, 'slots', length=9, **fields)
  cell = memory.make('slots', width=8, chunk=CHUNK, state_dtype='float64', **fields)
  state, _ = read(start, x)
  call = lambda method, **static: jax.jit(lambda *args: cell.apply({'params': params}, *args, method=method, **static))
  return read, state, x, call


def test_thinking_without_writing_back_is_what_a_token_does_on_its_way_to_its_answer():
  read, state, x, call = kept('evict', 'slots')
  # A query comes alone, so the token stands behind nothing, as after the start of a convolution.
  state = dict(state, tail=np.zeros_like(state['tail']))
  _, y = read(state, x[:, :1])
  after, answer, told = call('think', write_back=False)(state['cell'], x[:, :1])
  assert_close(answer, y)
  np.testing.assert_array_equal(after['slots'], state['cell']['slots'])
  assert told['slots'].shape[0] == told['weights'].shape[0] + 1 == 4


@pytest.mark.parametrize('compete', ['slots', 'tokens'])
def test_a_thought_is_written_back_and_nothing_else_of_the_state_moves(compete):
  _, state, x, call = kept('evict', compete)
  after, answer, told = call('think')(state['cell'], x[:, :3])
  assert answer.shape == (2, 3, 8)
  assert np.abs(np.asarray(after['slots'] - state['cell']['slots'])).max() > 1e-3
  assert_close((after['slots'], after['usage']), (told['slots'][-1], told['usage'][-1]))
  for name in ('ages', 'waiting', 'written', 'age'):
    np.testing.assert_array_equal(after[name], state['cell'][name])
  unused = ~np.asarray(told['live'])
  np.testing.assert_array_equal(np.asarray(told['weights']).sum((0, 2, 3))[unused], 0)


def test_a_trajectory_is_replayed_from_any_step_and_another_past_makes_another_end():
  _, state, x, call = kept('merge', 'tokens')
  _, _, told = call('think')(state['cell'], x[:, :2])
  for start in range(4):
    assert_close(call('replay', start=start)(told), told)
  longer = call('replay', start=3, steps=5)(told)
  assert_close(jax.tree.map(lambda a: a[:3], longer['weights']), told['weights'])
  assert len(longer['gates']) == 6
  other = dict(told, slots=told['slots'].at[1].mul(-1))
  again = call('replay', start=1)(other)
  assert_close(again['weights'][0], told['weights'][0])
  assert np.abs(np.asarray(again['thoughts'][-1] - told['thoughts'][-1])).max() > 1e-3


def test_a_chunk_is_closed_as_if_tokens_that_are_not_written_had_filled_it():
  fields = SMALL | dict(steps=1)
  read, start, params, x = in_numpy.setting(memory, 'slots', length=12, **fields)
  cell = memory.make('slots', width=8, chunk=CHUNK, state_dtype='float64', **fields)
  write = np.arange(12) < 10
  filled, _ = read(start, x, write_BT=np.broadcast_to(write, (2, 12)))
  begun, _ = read(start, x[:, :10])
  closed = cell.apply({'params': params}, begun['cell'], method='closed')
  assert_close(closed, filled['cell'])
  assert_close(cell.apply({'params': params}, closed, method='closed'), closed)


def test_gates_fall_from_step_to_step_at_the_start():
  cell = memory.make('slots', width=8, chunk=CHUNK, steps=3, heads=2, keep_start=0.4, keep_falls=0.5)
  params = cell.init(jax.random.key(0), 1, 'float32', method='init_state')['params']
  gates_RH = in_numpy.sigmoid(np.asarray(params['keep_bias'], np.float64))
  np.testing.assert_allclose(gates_RH, np.outer([0.4, 0.2, 0.1, 0.05], [1, 1]), rtol=1e-6)


def test_what_cannot_be_thought_is_refused():
  _, state, x, call = kept('merge', 'tokens')
  with pytest.raises(InputError, match='chunk of 4'):
    call('think')(state['cell'], x[:, :5])
  _, _, told = call('think')(state['cell'], x[:, :2])
  with pytest.raises(InputError, match='taken up at step 4'):
    call('replay', start=4, steps=5)(told)
  with pytest.raises(InputError, match='for -1 steps'):
    call('think', steps=-1)(state['cell'], x[:, :2])


@functools.cache
def subject(policy, compete, opened):
  fields = SMALL | dict(policy=policy, compete=compete, opened=opened, latent=8)
  return subjects.layer(memory.make('slots', width=8, chunk=CHUNK, state_dtype='float64', **fields), align=CHUNK)


@pytest.mark.parametrize('promise', [promises.parallel_equals_in_turn_with_gradients,
                                     promises.any_cut_is_the_same_as_whole], ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('policy, compete, opened', [('merge', 'tokens', 2), slow('keep', 'slots', 0)])
def test_every_policy_keeps_the_promises(policy, compete, opened, promise):
  promise(subject(policy, compete, opened))


@pytest.mark.slow
def test_a_stack_holds_slots_beside_another_memory():
  """Slots after titans in one layer, in any cut."""
  mixer = compose.make(
      'after', width=8, state_dtype='float64', memory_fields=dict(kind='slots', chunk=CHUNK, **SMALL),
      mixer=dict(kind='mag', heads=2, window=6, persistent=0),
      mixer_memory=dict(kind='titans', heads=2, chunk=CHUNK))
  assert mixer.align == CHUNK
  promises.any_cut_is_the_same_as_whole(subjects.layer(mixer, mixer.align))


def test_slots_in_use_are_counted_and_never_more_than_there_are():
  read, start, _, x = in_numpy.setting(memory, 'slots', length=24, **SMALL)
  for tokens, want in ((3, 0), (8, 4), (24, 5)):
    cell = read(start, x[:, :tokens])[0]['cell']
    assert np.sum(np.asarray(cell['ages']) > 0, -1).tolist() == [want, want]
  assert set(slot_growth.POLICIES) == {'keep', 'merge', 'evict'}


@pytest.mark.parametrize('fields, told', [
    (dict(policy='evct'), "did you mean 'evict'"), (dict(compete='token'), "did you mean 'tokens'"),
    (dict(opened=6), 'opened=6'), (dict(steps=-1), 'steps=-1'), (dict(heads=4), '4 heads'),
    (dict(write_start=0.0), 'write_start'), (dict(sharp_start=0.0), 'sharp_start'),
    (dict(keep_falls=0.0), 'keep_falls'), (dict(keep_falls=1.1), '1.1'), (dict(fade=1.5), '1.5')])
def test_fields_that_make_no_sense_are_refused(fields, told):
  with pytest.raises(InputError, match=told):
    in_numpy.setting(memory, 'slots', **SMALL | fields)


def follower(steps, task):
  """Slots whose weights, set by hand, follow facts of `task`: one slot a fact, a step a hop, as many as asked for.

  z = [token ; the one before it]: of a fact that ends, [end ; start]; of a question, [entity ; how many hops].
  """
  word = np.eye(task.vocab)
  first, second = np.kron([[1, 0]], word), np.kron([[0, 1]], word)
  fields = dict(slots=task.facts, opened=task.links, chunk=2 * task.links, heads=1, latent=2 * task.vocab, steps=steps,
                conv=2, policy='keep', compete='tokens', sharp_start=60.0, write_start=1e-9)
  cell = memory.make('slots', width=task.vocab, state_dtype='float64', **fields)
  shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), 1, 'float64', method='init_state'))['params']
  params = {name: np.zeros(shape.shape) for name, shape in shapes.items()}
  lies = lambda half: half[:, None]
  share = np.where(np.arange(2 * task.links) == 1 + 2 * np.arange(task.links)[:, None], 60.0, 0)
  asks_for_more = np.array([np.concatenate([np.zeros(task.vocab + task.entities), np.arange(task.hops) >= r])
                            for r in range(steps + 1)])
  params |= dict(
      into=first + second, conv=np.repeat([[0.0, 1], [1, 0]], task.vocab, axis=1),
      query=lies(first.T @ first), keys=np.stack([lies(second.T @ first), lies(first.T @ first)], 1),
      sharp=np.log([60.0]), share=np.concatenate([share, np.zeros((1, 2 * task.links))]),
      pace=40 * asks_for_more[..., None], keep_bias=np.full((steps + 1, 1), -40.0), write_bias=np.array(-60.0),
      norm=np.ones(2 * task.vocab), out=first.T)
  return cell, dict(params=params)


@pytest.mark.parametrize('steps', range(5))
def test_one_hop_a_step_can_be_followed_to_the_end(steps):
  """All questions of up to R + 1 hops, rewriting being the first, and none of more: questions of 1 to 4 hops."""
  task = tasks.make('hops', entities=16, rings=2, links=8)
  cell, params = follower(steps, task)
  examples = [task.draw(np.random.default_rng(i)) for i in range(8)]
  tokens, targets, weights = (np.stack(a) for a in zip(*examples))
  read = jax.jit(lambda x: cell.apply(params, cell.apply(params, 8, 'float64', method='init_state'), x))
  _, y = read(np.eye(task.vocab)[tokens])
  scorer, reset = task.scorer(), np.zeros(tokens.shape, bool)
  scorer.add(dict(tokens_BT=tokens, targets_BT=targets, weights_BT=weights, reset_BT=reset),
             np.zeros(tokens.shape), np.argmax(y, -1))
  told = scorer.result()
  assert [told[f'accuracy_{h}'] for h in (1, 2, 3, 4)] == [1.0 if h <= steps + 1 else 0.0 for h in (1, 2, 3, 4)]
