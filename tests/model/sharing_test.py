"""Sharing: what answers knows of the scene what the slots say, and nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import model
from latentmem.base.errors import InputError
from tests.cases import slow
from tests.checks import assert_close
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')
SCENE, ASKED, VOCAB = 12, 5, 11
TEXT = dict(channel='text', views=3)


def agent(steps, **memory):
  return dict(kind='decoder', width=8, layers=1, ff=2.0, dtype='float64', state_dtype='float64',
              compose=dict(kind='plain'),
              memory=dict(kind='slots', latent=4, heads=2, conv=3, steps=steps, policy='keep') | memory)


def fields(views=1, **chosen):
  chunk, slots = SCENE // views // 2, 6
  given = dict(vocab=VOCAB, scene=SCENE, views=views, bits=3, words=8,
               perception=agent(0, slots=slots // views, opened=slots // views // 2 or 1, chunk=chunk),
               reasoning=agent(2, slots=slots, opened=0, chunk=8))
  return given | chosen


@functools.cache
def pair(**chosen):
  """A small pair in float64, and its parameters."""
  it = model.make('sharing', **fields(**chosen))
  return it, subjects.params_of(it.clone(sent='own'))


def rows(count=3):
  return jnp.asarray(np.random.default_rng(0).integers(0, VOCAB, (count, SCENE + ASKED)), jnp.int32)


@functools.cache
def reader(parallel=True, **chosen):
  """(params, tokens, key, carry, reset) -> carry, logits of the questions."""
  it, _ = pair(**chosen)

  @jax.jit
  def read(params, tokens, key=None, carry=None, reset=None):
    carry = it.apply(params, len(tokens), method='init_state') if carry is None else carry
    rngs = {} if key is None else dict(dropout=key)
    carry, logits = it.apply(params, carry, tokens, reset, parallel=parallel, rngs=rngs)
    return carry, logits[:, SCENE:]
  return read


def answers(tokens, **chosen):
  return reader(**chosen)(pair(**{k: v for k, v in chosen.items() if k != 'parallel'})[1], tokens)[1]


@pytest.mark.parametrize('chosen', [dict(), TEXT], ids=str)
def test_answers_come_from_the_message_alone(chosen):
  it, params = pair(**chosen)

  @jax.jit
  def apart(params, tokens):
    say = lambda name, *args: it.apply(params, *args, method=name)
    codes = say('message', say('perceive', tokens[:, :SCENE]))
    return codes, say('answer', say('init_state', len(tokens)), say('told', codes), tokens[:, SCENE:])[1]
  codes, logits = apart(params, rows())
  assert codes.dtype == jnp.int32 and codes.shape == (3, 1, 6, it.told_by)
  assert 0 <= int(codes.min()) and int(codes.max()) < it.codes and len(np.unique(codes)) > 2
  assert codes[0].size * np.log2(it.codes) == it.passed_bits == 6 * 4 * 3
  assert_close(answers(rows(), **chosen), logits)


def test_the_meaning_is_read_in_turn():
  assert_close(answers(rows()), answers(rows(), parallel=False))


def test_a_view_is_seen_by_itself_and_the_slots_of_all_arrive():
  (it, params), scene = pair(**TEXT), rows()[:, :SCENE]
  see = jax.jit(lambda scene: it.apply(params, scene, method='perceive'))
  parts = [see(scene[:, i:i + SCENE // 3]) for i in range(0, SCENE, SCENE // 3)]
  assert_close(see(scene), jnp.concatenate(parts, 2))
  assert jnp.linalg.norm(parts[0] - parts[1]) > 0.1


def test_controls_send_the_slots_of_another_row_or_none():
  tokens = rows()
  other = jnp.concatenate([jnp.roll(tokens[:, :SCENE], 1, axis=0), tokens[:, SCENE:]], 1)
  own, others = answers(tokens), answers(other)
  assert_close(answers(tokens, sent='shuffled'), others)
  assert jnp.linalg.norm(own - others) > 1e-3
  assert_close(answers(tokens, sent='zeroed'), answers(other, sent='zeroed'))


@pytest.mark.parametrize('chosen', [TEXT, slow(dict())], ids=str)
def test_one_loss_moves_both(chosen):
  loss = lambda params: jnp.sum(reader(**chosen)(params, rows())[1] ** 2)
  grads = jax.jit(jax.grad(loss))(pair(**chosen)[1])['params']
  assert all(jnp.linalg.norm(grads[name]['embed']) > 0 for name in ('sees', 'reasons'))
  assert not chosen or jnp.linalg.norm(grads['say']) > 0 < jnp.linalg.norm(grads['hear'])


def test_training_tries_words_and_answers_do_not():
  read, (_, params) = reader(**TEXT), pair(**TEXT)
  tried = [read(params, rows(), jax.random.key(i))[1] for i in (0, 1)]
  assert jnp.linalg.norm(tried[0] - tried[1]) > 1e-3
  assert_close(read(params, rows())[1], read(params, rows())[1])


def test_a_row_that_is_reset_forgets_and_the_others_go_on():
  read, (_, params), tokens = reader(), pair(), rows()
  nowhere = jnp.zeros(tokens.shape, bool)
  went_on, as_fresh = read(params, tokens)
  _, logits = read(params, tokens, None, went_on, nowhere.at[1, 0].set(True))
  _, as_gone_on = read(params, tokens, None, went_on, nowhere)
  assert_close(logits[1], as_fresh[1])
  assert_close(logits[jnp.array([0, 2])], as_gone_on[jnp.array([0, 2])])
  assert jnp.linalg.norm(as_fresh - as_gone_on) > 1e-3


@pytest.mark.parametrize('change, says', [
    (dict(channel='speech'), "no channel 'speech'"), (dict(sent='zero'), "did you mean 'zeroed'"),
    (dict(scene=13), 'scene=13 must be a multiple'), (dict(bits=0), 'bits=0'),
    (dict(channel='text', words=6), 'words=6'), (dict(channel='text', words=32), 'words=32'),
    (dict(reasoning=agent(1, slots=6, opened=2)), 'opened=0, not 2'),
    (dict(reasoning=agent(1, slots=5, opened=0)), r'\(1, 4, 6\) in perception and \(1, 4, 5\)'),
    (dict(reasoning=agent(1, slots=6, opened=0) | dict(memory=dict(kind='delta'))), "'decoder' with 'delta'"),
    (dict(perception=agent(1) | dict(vocab=3)), "takes 'vocab' from it")])
def test_what_does_not_fit_is_refused(change, says):
  with pytest.raises(InputError, match=says):
    it = model.make('sharing', **fields(**change))
    jax.eval_shape(functools.partial(model.interface.init_params, it), jax.random.key(0))


def test_a_row_without_questions_is_refused():
  with pytest.raises(InputError, match='no room for a scene of 12'):
    answers(rows()[:, :SCENE])
