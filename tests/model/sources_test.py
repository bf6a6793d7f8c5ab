"""Slots joined are slots that could have been there all along, and a source that is taken away leaves nothing."""

import functools

import jax
import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.model import sources
from tests.checks import assert_close
from tests.model import subjects

TOKENS = np.random.default_rng(0).integers(0, 11, (3, 17))
ASKED = TOKENS[2:, :13]


@functools.cache
def lived():
  net = subjects.decoder('mag', 'slots')
  params = subjects.params_of(net)
  read = lambda net, params, carry, tokens: jax.jit(net.apply)(params, carry, tokens)
  fresh = net.apply(params, 1, method='init_state')
  return net, params, read, *(read(net, params, fresh, TOKENS[i:i + 1])[0] for i in range(2))


@pytest.fixture
def lives(x64):
  """A model, its parameters, a reader, and the carries of two sequences of their own, of one row."""
  return lived()


def joined(lives):
  net, params, read, own, other = lives
  wider, wide, carry = sources.joined(net, params, own, [other])
  fresh = wider.apply(wide, 1, method='init_state')
  return wider, wide, carry, sources.chosen(carry, fresh, net.memory['slots'])


def test_without_the_others_it_is_the_sequence_alone(lives):
  net, params, read, own, other = lives
  wider, wide, carry, chosen = joined(lives)
  # Long enough for chunks to fill, and slots to be opened and evicted.
  _, logits_BTV = read(wider, wide, chosen, np.repeat(ASKED, len(sources.CHOICES), 0))
  _, alone_1TV = read(net, params, own, ASKED)
  assert_close(logits_BTV[sources.CHOICES.index(('short', 'new'))], alone_1TV[0])
  _, whole_1TV = read(wider, wide, carry, ASKED)
  assert_close(logits_BTV[-1], whole_1TV[0])
  assert np.abs(whole_1TV - alone_1TV).max() > 1e-3


def test_with_nothing_it_is_a_fresh_sequence(lives):
  net, params, read, own, other = lives
  wider, wide, _, chosen = joined(lives)
  # At the same place of a chunk, for that is where a sequence stands, not what it knows.
  age = own['memory']['cell']['age']
  fresh = net.apply(params, 1, method='init_state')
  fresh['memory']['cell'] |= dict(age=age)
  _, logits_BTV = read(wider, wide, chosen, np.repeat(ASKED[:, :3], len(sources.CHOICES), 0))
  _, fresh_1TV = read(net, params, fresh, ASKED[:, :3])
  assert_close(logits_BTV[0], fresh_1TV[0])


@pytest.mark.parametrize('source', sources.SOURCES)
def test_each_source_is_what_its_choices_differ_in(lives, source):
  net, _, _, own, other = lives
  _, _, carry, chosen = joined(lives)
  with_it, without = ((sources.CHOICES.index(choice)) for choice in ((source,), ()))
  differing = {jax.tree_util.keystr(path, simple=True, separator='/')
               for path, leaf in jax.tree_util.tree_flatten_with_path(chosen)[0]
               if np.any(leaf[:, with_it] != leaf[:, without])}
  count = net.memory['slots']
  if source == 'short':
    assert differing == {'attention/cache/k', 'attention/cache/v', 'attention/cache/count', 'memory/tail',
                         'attention/tail'}
  elif source == 'new':
    assert differing == {f'memory/cell/{name}' for name in ('slots', 'ages', 'usage', 'waiting', 'written')}
    np.testing.assert_array_equal(chosen['memory']['cell']['ages'][:, with_it, :count],
                                  own['memory']['cell']['ages'][:, 0])
  else:
    assert differing == {'memory/cell/ages'}
    ages_LN = chosen['memory']['cell']['ages'][:, with_it, count:]
    np.testing.assert_array_equal(np.maximum(ages_LN, 0), other['memory']['cell']['ages'][:, 0])
    assert np.all(ages_LN > 0) or np.any(ages_LN < 0)
    assert np.all(chosen['memory']['cell']['ages'][:, without, count:] < 0)


def test_models_without_slots_are_refused():
  for kind, held in (('mag', 'titans'), ('mac', 'slots'), ('attention', 'none')):
    with pytest.raises(InputError, match=r"one of the memories \['slots'\]"):
      sources.check(subjects.decoder(kind, held))
