"""A whole model thinks as its memories think by themselves, and all else in it stays as it was."""

import functools

import jax
import numpy as np
import pytest

from latentmem import memory
from latentmem.base.errors import InputError
from latentmem.model import blocks, reasoning
from tests.cases import slow
from tests.checks import assert_close
from tests.model import subjects


def lived(net, params, tokens):
  read = jax.jit(lambda params, tokens: net.apply(params, net.apply(params, 2, method='init_state'), tokens)[0])
  return read(params, tokens)


@pytest.fixture(scope='module')
def tokens():
  return np.random.default_rng(0).integers(0, 11, (2, 14))


def test_a_layer_of_memory_alone_thinks_about_its_own_input(x64, tokens):
  net = subjects.decoder('plain', 'slots').clone(layers=1, ff=0.0)
  params = subjects.params_of(net)
  carry = lived(net, params, tokens)
  after, found = jax.jit(functools.partial(reasoning.think, net, steps=2))(params, carry, tokens[:, :3])
  held = jax.tree.map(lambda a: a[0], params['params']['block'])
  x_BQD = params['params']['embed'][tokens[:, :3]] * net.width ** 0.5
  normed_BQD = blocks.RMSNorm().apply(dict(params=held['mixer_norm']), x_BQD)
  alone = memory.make(**net.memory, width=net.width, state_dtype='float64')
  cell = jax.tree.map(lambda a: a[0], carry['memory']['cell'])
  think = jax.jit(functools.partial(alone.apply, method='think'), static_argnums=3)
  cell, _, trajectory = think(dict(params=held['mixer']['memory']), cell, normed_BQD, 2)
  assert_close(jax.tree.map(lambda a: a[0], after['memory']['cell']), cell)
  assert set(found) == {'memory'} and found['memory'].keys() == trajectory.keys()
  assert_close({name: found['memory'][name][0] for name in ('slots', 'weights', 'gates', 'written')},
               {name: trajectory[name] for name in ('slots', 'weights', 'gates', 'written')})


INNER = dict(kind='slots', slots=4, heads=2, chunk=4, opened=2, steps=1)
TWO = dict(kind='after', mixer=dict(kind='mag', heads=2, window=6), mixer_memory=INNER)


@pytest.mark.parametrize('fields', [{}, slow(dict(compose=TWO))], ids=['mag', 'two memories'])
def test_a_layer_that_is_replayed_from_another_past_comes_to_another_end(x64, tokens, fields):
  net = subjects.decoder('mag', 'slots').clone(**fields)
  params = subjects.params_of(net)
  think = jax.jit(functools.partial(reasoning.think, net, steps=2))
  _, found = think(params, lived(net, params, tokens), tokens[:, :2])
  replay = jax.jit(functools.partial(reasoning.replay, net, start=1, steps=2))
  assert_close(replay(params, found), found)
  other = dict(found['memory'], slots=found['memory']['slots'].at[1, 1].mul(-1))
  again = replay(params, dict(memory=other))['memory']
  assert_close(again['slots'][0], found['memory']['slots'][0])
  assert np.abs(again['thoughts'][1, -1] - found['memory']['thoughts'][1, -1]).max() > 1e-3


@pytest.mark.parametrize('kind', ['mag', slow('mal'), slow('after')])
def test_all_but_what_was_written_back_stays(x64, tokens, kind):
  net = subjects.decoder(kind, 'slots')
  params = subjects.params_of(net)
  carry = lived(net, params, tokens)
  think = jax.jit(functools.partial(reasoning.think, net), static_argnums=(3, 4))
  after, found = think(params, carry, tokens[:, :2], 1, True)
  assert found['memory']['slots'].shape[:2] == (2, 3)
  for slots in (after['memory']['cell'], carry['memory']['cell']):
    assert slots['slots'].shape == found['memory']['slots'][:, 0].shape
  assert_close(after['memory']['cell']['slots'], found['memory']['slots'][:, -1])
  assert np.abs(after['memory']['cell']['slots'] - carry['memory']['cell']['slots']).max() > 1e-3
  after['memory']['cell'] |= {name: carry['memory']['cell'][name] for name in ('slots', 'usage')}
  jax.tree.map(np.testing.assert_array_equal, after, carry)
  still, _ = think(params, carry, tokens[:, :2], 1, False)
  assert_close(still['memory']['cell']['slots'], carry['memory']['cell']['slots'])


@pytest.mark.parametrize('kind, held, said', [
    ('mag', 'titans', 'memory titans cannot think'), ('mac', 'slots', r"compositions \['after', 'mag', 'mal', 'plain'"),
    ('attention', 'none', r"memories \['slots'\]")])
def test_models_that_cannot_think_are_told_which_could(kind, held, said):
  net = subjects.decoder(kind, held)
  with pytest.raises(InputError, match=said):
    reasoning.think(net, {}, {}, np.zeros((1, 1), int))
  assert reasoning.chunk(subjects.decoder('mag', 'slots')) == subjects.CHUNK
