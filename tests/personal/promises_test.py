"""What every adapter keeps: nobody's numbers reach another, padding leaves no trace, and the base stays as it is."""

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
import numpy as np
import pytest

from latentmem import personal
from latentmem.base import arrays, sharding
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.model import interface
from latentmem.personal.model import Personal
from tests.checks import assert_close, assert_finite
from tests.personal import small

KINDS = personal.kinds()
# Of training questions, and not learned.
MEASURED = ('shared/basis', 'shared/offset')


def test_the_kinds_are_those_there_are():
  assert KINDS == ['lora', 'lpm', 'none', 'prompt'] and set(small.ADAPTERS) == set(KINDS)


@pytest.mark.parametrize('kind', KINDS)
def test_a_kind_has_the_collections_that_it_says(kind):
  net, params, _ = small.built(kind)
  found = personal.find(kind)
  tables = params['params']['personal']
  assert set(params) == {'params'} and set(tables) == {
      *(['shared'] if found.has_shared else []), *(['personal'] if found.has_personal else [])}
  assert all(leaf.shape[0] == small.PEOPLE for leaf in jax.tree.leaves(tables.get('personal', {})))
  assert (found.has_shared, found.has_personal) == dict(
      lpm=(True, True), lora=(False, True), prompt=(False, True), none=(True, False))[kind]


@pytest.mark.parametrize('kind', KINDS)
def test_people_are_shared_out_over_the_mesh_and_what_they_share_is_not(kind):
  net, params, base = small.built(kind)
  where = sharding.specs(params['params'], net.layout)
  for path, spec in jax.tree_util.tree_flatten_with_path(where, is_leaf=lambda x: isinstance(x, PartitionSpec))[0]:
    assert tuple(spec)[:1] == (('fsdp',) if '/personal/' in arrays.name_of(path) else (None,)), arrays.name_of(path)
  sharding.specs(base['base'], net.layout)


@pytest.mark.parametrize('kind', KINDS)
def test_what_is_said_without_a_question_is_written_too(kind, x64):
  """Gradients of rows that ask nothing are no smaller than a hundredth of those that ask."""
  net, params, base = small.built(kind, 'float64')
  asks_BT = small.rows((1, 3))
  says_BT = asks_BT.copy()
  says_BT[:, 1:1 + small.QUESTION] = NOTHING
  def size(tokens_BT):
    loss = lambda params: jnp.sum(jnp.square(small.logits(net, params, base, tokens_BT)[:, 1 + small.QUESTION:]))
    return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(jax.grad(loss)(params))) ** 0.5
  assert size(says_BT) > 0.01 * size(asks_BT)


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_reach_nobody_else(kind, x64):
  net, params, base = small.built(kind, 'float64')
  tokens_BT = small.rows((1, 3, 1, 3))
  def loss(params):
    return jnp.sum(jnp.square(small.logits(net, params, base, tokens_BT)[jnp.array([0, 2])]))
  grads = jax.grad(loss)(params)['params']['personal']
  assert_finite(grads)
  for name, grad in jax.tree_util.tree_flatten_with_path(grads.get('personal', {}))[0]:
    size_U = np.abs(grad).reshape(small.PEOPLE, -1).max(1)
    assert size_U[1] > 0 and not size_U[[0, 2, 3, 4]].any(), f'{arrays.name_of(name)}: {size_U}'
  learned = {name: leaf for name, leaf in arrays.named(grads).items() if name not in MEASURED}
  assert all(np.abs(leaf).max() > 0 for leaf in learned.values())


@pytest.mark.parametrize('kind', KINDS)
def test_an_answer_does_not_depend_on_the_batch_it_came_in(kind, x64):
  net, params, base = small.built(kind, 'float64')
  whole = small.logits(net, params, base, small.rows((0, 1, 2, 3)))
  for b in (0, 2):
    other = small.rows((4, 4, 4, 4), seed=1)
    other[b] = small.rows((0, 1, 2, 3))[b]
    assert_close(small.logits(net, params, base, other)[b], whole[b])


@pytest.mark.parametrize('kind', KINDS)
def test_another_persons_memory_is_another_answer_and_nobodys_is_not(kind, x64):
  net, params, base = small.built(kind, 'float64')
  mine, swapped = small.rows((1, 2, 1, 2)), small.rows((4, 0, 3, 0))
  mine[:, 1:] = swapped[:, 1:]
  apart = np.abs(small.logits(net, params, base, mine) - small.logits(net, params, base, swapped)).max()
  assert (apart > 1e-3) == personal.find(kind).has_personal


@pytest.mark.parametrize('kind', KINDS)
def test_padding_leaves_no_trace(kind, x64):
  net, params, base = small.built(kind, 'float64')
  tokens_BT = small.rows((0, 2, 0, 1), least=4)
  tokens_BT[:, 4:1 + small.QUESTION] = NOTHING
  moved_BT = tokens_BT.copy()
  moved_BT[:, 1:1 + small.QUESTION] = np.roll(tokens_BT[:, 1:1 + small.QUESTION], 2, axis=1)
  answer = np.s_[:, 1 + small.QUESTION:]
  assert_close(small.logits(net, params, base, moved_BT)[answer], small.logits(net, params, base, tokens_BT)[answer])
  mask_BT, masked_BT = tokens_BT >= 0, np.where(tokens_BT >= 0, tokens_BT, 5)
  assert_close(small.logits(net, params, base, masked_BT, mask_BT)[answer],
               small.logits(net, params, base, tokens_BT)[answer])
  shorter = Personal(net.base, net.adapter, net.people, 3)
  cut_BT = np.delete(tokens_BT, np.s_[4:1 + small.QUESTION], axis=1)
  assert_close(small.logits(shorter, params, base, cut_BT)[:, 4:],
               small.logits(net, params, base, tokens_BT)[answer])


@pytest.mark.parametrize('kind', KINDS)
def test_an_answer_read_in_turn_is_that_read_at_once(kind, x64):
  net, params, base = small.built(kind, 'float64')
  variables, tokens_BT = params | base, jnp.asarray(small.rows(answer=2))
  whole_BTV = small.logits(net, params, base, tokens_BT)
  def in_turn(net, tokens_BT):
    given = net.given(tokens_BT)
    carry, logits_BTV = net.read(net.init_state(4), given, tokens_BT[:, 1:-2])
    carry, one_B1V = net.go_on(carry, given, tokens_BT[:, -2:-1])
    carry, two_B1V = net.go_on(carry, given, tokens_BT[:, -1:])
    return jnp.concatenate([logits_BTV, one_B1V, two_B1V], axis=1)
  answer = np.s_[:, small.QUESTION:]
  assert_close(small.applied(net, variables, in_turn, tokens_BT)[answer], whole_BTV[:, 1:][answer])


@pytest.mark.parametrize('kind', KINDS)
def test_parameters_are_made_without_the_base(kind):
  net, params, base = small.built(kind)
  assert jax.tree.structure(interface.init_params(net, jax.random.key(3))) == jax.tree.structure(params)
  names = [arrays.name_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]]
  assert all(name.startswith('params/personal/') for name in names)


@pytest.mark.parametrize('kind', KINDS)
def test_at_the_start_the_base_reads_as_without_it(kind, x64):
  """lora changes nothing before it has learned; a prompt is read, in the size of words."""
  net, _, base = small.built(kind, 'float64')
  params = interface.init_params(net, jax.random.key(0))
  tokens_BT = small.rows()
  given = small.given(net, params, base, tokens_BT)
  if given.lora is not None:
    bare = small.built('lora', 'float64')[0]
    none = Personal(bare.base, small.adapter('lora', targets='q'), 5, small.QUESTION)
    zero = jax.tree.map(jnp.zeros_like, interface.init_params(none, jax.random.key(0)))
    assert_close(small.logits(net, params, base, tokens_BT), small.logits(none, zero, base, tokens_BT))
  else:
    size = np.sqrt(np.mean(np.square(given.prompt_BPD)))
    words = np.sqrt(np.mean(np.square(base['base']['embed'])))
    assert 0.4 < size / words < 2.5


def test_a_row_that_the_base_does_not_see_whole_is_refused():
  net, params, base = small.built('prompt')
  with pytest.raises(InputError, match='sees 24 tokens, and a prompt of 3 with 22 behind it is more'):
    small.logits(net, params, base, small.rows((0,), answer=15))


def test_a_row_without_an_answer_is_refused():
  net, params, base = small.built('prompt')
  with pytest.raises(InputError, match='has no room for a person, a question of 7 and an answer'):
    small.logits(net, params, base, small.rows((0,), answer=0))


@pytest.mark.parametrize('kind, chosen, said', [
    ('lpn', {}, r"has no 'lpn' \(did you mean 'lpm'\?\)"), ('lpm', dict(head=2), r"did you mean 'heads'"),
    ('lpm', dict(slots=0), 'slots=0; it must be at least 1'), ('lora', dict(width=3), "takes 'width' from the base")])
def test_wrong_choices_are_refused(kind, chosen, said):
  with pytest.raises(InputError, match=said):
    personal.fields(kind, **chosen)


def test_a_base_that_reads_no_vectors_or_takes_no_changes_is_refused():
  base = dict(kind='decoder', width=8, vocab=9, layers=1, memory=dict(kind='none'), compose=dict(kind='plain'))
  with pytest.raises(InputError, match='this base lets nothing change'):
    interface.init_params(Personal(base, small.adapter('lora'), 2, 3), jax.random.key(0))
  with pytest.raises(InputError, match="no projection 'gates' .did you mean 'gate'"):
    interface.init_params(Personal(small.BASE, small.adapter('lora', targets='q,gates'), 2, 3), jax.random.key(0))
