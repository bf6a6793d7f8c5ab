"""A config's dicts become the things they name, and what follows from the data is filled in."""

import json

import jax
import pytest

from latentmem.base.errors import InputError
from latentmem.train import results
from launch import parts
from tests.train import small


def test_the_vocabulary_comes_from_the_data():
  built = parts.build(small.config())
  assert built.model.vocab == built.config['model']['vocab'] == built.source.vocab == 16


def test_a_larger_vocabulary_stays():
  assert parts.build(small.config(model_fields=dict(vocab=128))).model.vocab == 128


def test_a_vocabulary_too_small_for_the_data_is_refused():
  with pytest.raises(InputError, match='model.vocab=8 is too small for the data, which have 16 tokens'):
    parts.build(small.config(model_fields=dict(vocab=8)))


def test_the_whole_config_is_plain_and_names_itself():
  config = parts.build(small.config()).config
  assert parts.build(json.loads(json.dumps(config))).config == config


def test_a_folder_of_an_older_version_goes_on(tmp_path):
  built = parts.build(small.config())
  run = results.begin(tmp_path / 'run', built.config, built.source, parts.filled)
  older = json.loads(json.dumps(built.config))
  for part in (older['data']['task'], older['model']['memory'], older['train'], older['evaluate']):
    part.popitem()
  run.write('config.json', older)
  assert results.begin(run.path, built.config, built.source, parts.filled).config == older
  with pytest.raises(InputError, match='train.rows'):
    other = dict(built.config, train=dict(built.config['train'], rows=2))
    results.begin(run.path, other, built.source, parts.filled)


@pytest.mark.parametrize('change, said', [
    (dict(trian={}), "A config has no part 'trian' .did you mean 'train'"),
    (dict(train=dict(step=3)), "train has no field 'step' .did you mean 'steps'"),
    (dict(data=dict(kind='task', task=dict(kind='recal'))), "did you mean 'recall'"),
])
def test_what_does_not_exist_is_refused(change, said):
  with pytest.raises(InputError, match=said):
    parts.build(small.config() | change)


@pytest.mark.parametrize('asked, rows, found', [
    (dict(), 8, (1, 8, 1, 1)), (dict(tensor=2), 8, (1, 4, 2, 1)), (dict(), 6, (1, 6, 1, 1)),
    (dict(data=2), 8, (2, 4, 1, 1)),
    (dict(data=-1, fsdp=1), 8, (8, 1, 1, 1)), (dict(data=-1, fsdp=2, tensor=2), 4, (2, 2, 2, 1)),
    (dict(sequence=2), 8, (1, 4, 1, 2)), (dict(sequence=4, tensor=2), 8, (1, 1, 2, 4)),
    (dict(data=2), 3, (2, 1, 1, 1)), (dict(fsdp=1), 8, (1, 1, 1, 1))])
def test_a_mesh_takes_the_devices_that_share_the_rows(asked, rows, found):
  mesh = parts.mesh(**asked, rows=rows)
  assert tuple(mesh.shape.values()) == found
  assert mesh.devices.ravel().tolist() == jax.devices()[:mesh.size]


@pytest.mark.parametrize('sizes', [(9, 1, 1), (1, -1, 9), (0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 9, 1)])
def test_a_mesh_of_devices_that_are_not_there_is_refused(sizes):
  with pytest.raises(InputError, match='devices'):
    parts.mesh(*sizes, rows=8)


@pytest.mark.parametrize('asked, said', [
    (dict(data=-1, fsdp=-1), 'both -1'), (dict(model=2), "mesh has no field 'model'")])
def test_a_mesh_that_cannot_be_is_refused(asked, said):
  with pytest.raises(InputError, match=said):
    parts.build(small.config() | dict(mesh=asked))
