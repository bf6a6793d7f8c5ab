"""A memory after the mixer: what it adds, and where it lies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem import model
from latentmem.base import flops, sharding
from latentmem.base.errors import InputError
from latentmem.model import compose, interface
from tests.cases import slow
from tests.checks import assert_close
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')

STACK = dict(compose=dict(kind='after', mixer=dict(kind='mag', window=8), mixer_memory=dict(kind='titans', chunk=16)),
             memory=dict(kind='token_state', chunk=32))


def parts(held):
  """A subject, its parameters, and its memory and norms as functions."""
  subject = subjects.composition('after', held)
  fields = subjects.small(compose, 'after', compose.find('after').given)
  mixer = compose.make('after', width=subjects.WIDTH, state_dtype='float64', memory_fields=dict(
      kind=held, **subjects.small(subjects.memory, held, ('width', 'state_dtype'))), **fields)
  return subject, mixer.bind(subject.params)


@pytest.mark.parametrize('held', ['token_state', slow('titans')])
def test_the_memory_reads_the_stream_that_the_mixer_left(held):
  subject, mixer = parts(held)
  _, y = subject.read(subject.x)
  _, mixed = mixer.inner(subject.fresh['inner'], subject.x)
  stream = subject.x + mixed
  _, read = mixer.memory(subject.fresh['memory'], mixer.memory_norm(stream))
  if held == 'titans':
    read = np.concatenate([stream, mixer.answer_norm(read)], -1) @ mixer.out
  assert_close(y, mixed + read)


@pytest.mark.parametrize('held', ['token_state', slow('titans')])
def test_it_starts_as_the_mixer_alone(held):
  it = subjects.decoder('after', held)
  params = interface.init_params(it, jax.random.key(0))
  tokens = jax.random.randint(jax.random.key(1), (2, 12), 0, it.vocab)
  alone = subjects.decoder('after', 'none')
  inner = {'params': params['params'] | dict(block=params['params']['block'] | dict(
      mixer=dict(inner=params['params']['block']['mixer']['inner'])))}
  read = lambda it, params: jax.jit(it.apply)(params, it.apply(params, 2, method='init_state'), tokens)[1]
  assert_close(read(it, params), read(alone, inner))


def test_a_stack_of_two_memories_is_on_record_laid_out_and_aligned_to_both():
  fields = model.fields('decoder', **STACK)
  assert fields['compose']['mixer']['window'] == 8 and fields['compose']['mixer']['persistent'] == 4
  assert fields['compose']['mixer_memory']['depth'] == 2 and fields['memory']['recurrence'] == 'input'
  assert model.fields(**fields) == fields
  it = model.make(**fields)
  assert it.align == 32
  rules = sharding.specs(jax.eval_shape(lambda key: interface.init_params(it, key), jax.random.key(0)), it.layout)
  mixer = rules['params']['block']['mixer']
  assert 'tensor' in mixer['inner']['memory']['start_0'] and 'tensor' in mixer['memory']['out']


@pytest.mark.parametrize('chosen, said', [
    (dict(compose=dict(kind='after', mixer=dict(kind='mga'))), "'mag'"),
    (dict(compose=dict(kind='after', mixer=dict(kind='mag', windw=8))), "'window'"),
    (dict(compose=dict(kind='after', mixer_memory=dict(kind='titans'))), "choose 'none'"),
    (dict(compose=dict(kind='after'), memory=dict(kind='titans', weight_residual=True)), 'no weight_residual')])
def test_fields_that_do_not_fit_are_refused(chosen, said):
  with pytest.raises(InputError, match=said):
    jax.eval_shape(lambda key: interface.init_params(model.make('decoder', **chosen), key), jax.random.key(0))


@pytest.mark.parametrize('recurrence', ['input', 'full'])
def test_a_token_state_costs_no_more_than_a_twentieth_of_a_block(recurrence):
  """Counted operations at the width of GPT-2 small, without embedding and head."""
  def operations(**chosen):
    it = model.make('decoder', vocab=2, width=768, layers=12, remat='none', **chosen)
    params = jax.eval_shape(lambda: model.interface.init_params(it, jax.random.key(0)))
    carry = jax.eval_shape(lambda params: it.apply(params, 1, method='init_state'), params)
    return flops.count(it.apply, params, carry, jax.ShapeDtypeStruct((1, 256), jnp.int32))
  attention = dict(kind='attention', heads=12, window=256)
  held = dict(kind='token_state', recurrence=recurrence)
  growth = operations(compose=dict(kind='after', mixer=attention), memory=held) / operations(
      compose=attention, memory=dict(kind='none')) - 1
  assert 0.02 < growth < 0.05
