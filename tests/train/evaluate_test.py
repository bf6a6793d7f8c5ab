"""Held-out scores are what the model gives, however the documents are cut and wherever they are read."""

import jax
import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.model import interface
from latentmem.train import evaluate
from latentmem.train.placement import Placement
from launch import parts
from tests.train import small


@pytest.fixture(scope='module')
def setting():
  built = parts.build(small.config(task=dict(kind='recall', vocab=16, pairs=2, length=32)))
  params = interface.init_params(built.model, jax.random.key(0))
  return built, params


def scores(setting, length, devices=1, rows=8, **kwargs):
  built, params = setting
  place = Placement(parts.mesh(1, devices, 1))
  return evaluate.heldout(built.model, jax.device_put(params, place.everywhere), built.source, place, rows, length,
                          **kwargs)


def test_scores_equal_a_loop_over_whole_examples(setting):
  built, params = setting
  nats, right, asked = 0.0, 0, 0
  fresh, read = built.model.apply(params, 1, method='init_state'), jax.jit(built.model.apply)
  for batch in built.source.heldout(1, 32):
    _, logits_BTV = read(params, fresh, batch['tokens_BT'])
    p_TV = np.asarray(jax.nn.softmax(logits_BTV[0]))
    for t in np.flatnonzero(batch['weights_BT'][0]):
      target = batch['targets_BT'][0, t]
      nats, asked, right = nats - np.log(p_TV[t, target]), asked + 1, right + (p_TV[t].argmax() == target)
  found = scores(setting, 32)
  assert found['loss'] == pytest.approx(nats / asked, rel=1e-5)
  assert (found['accuracy'], found['tokens']) == (right / asked, asked)


@pytest.mark.parametrize('length, rows, devices', [(8, 8, 1), (32, 16, 8), (8, 8, 8), (32, 2, 1)])
def test_the_cut_the_rows_and_the_devices_do_not_matter(setting, length, rows, devices):
  a, b = scores(setting, 32), scores(setting, length, devices, rows)
  assert a['accuracy'] == b['accuracy'] and a['tokens'] == b['tokens']
  assert a['loss'] == pytest.approx(b['loss'], rel=1e-5)


def test_fewer_batches_read_less(setting):
  assert scores(setting, 32, batches=1)['examples'] == 8 and scores(setting, 32)['examples'] == 16


def test_rows_that_devices_cannot_share_are_refused(setting):
  with pytest.raises(InputError, match='rows=6 cannot be shared by 4 devices'):
    scores(setting, 32, devices=4, rows=6)
