"""Training that begins with a Qwen3 in a Hugging Face folder; runs to begin with are in loop_test."""

import json

import pytest

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.train import checkpoint
from tests.train import small

SIZES = dict(vocab=16, width=16, layers=2, heads=4, kv_heads=2, hidden=24, rope_base=1e4)


def config(start: str, mesh=1, **fields) -> dict:
  return small.config(start=start, mesh=mesh, steps=2, learning_rate=0.0, weight_decay=0.0, telemetry_every=0) | dict(
      model=model.fields('qwen3', **SIZES | dict(context=8, remat='none', scan=False) | fields))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  run, _ = small.run(tmp_path_factory.mktemp('first') / 'run', config(''))
  params = checkpoint.load_params(run.path)[1]
  to = tmp_path_factory.mktemp('folder') / 'qwen3'
  qwen3_weights.save(to, run.config['model'], params)
  return to, params


@pytest.mark.parametrize('mesh', [1, 2])
def test_training_begins_with_what_a_folder_holds(tmp_path, folder, mesh):
  path, params = folder
  how = dict(head_width=4, context=6, remat='full', scan=True)
  run, trained = small.run(tmp_path / 'run', config(str(path), mesh, **how))
  assert trained.done and small.same(checkpoint.load_params(run.path)[1], params)


def test_a_folder_of_another_model_is_refused(tmp_path, folder):
  path, _ = folder
  for name, fields, message in (
      ('turns', dict(rope_base=1e6, tie=False, eps=1e-5),
       'eps is 1e-06 there, 1e-05 in the config; rope_base is 10000.0 there, 1000000.0 in the config; tie is True'),
      ('sizes', dict(vocab=17, head_width=6), 'head_width is 4 there, 6 in the config; vocab is 16 there, 17')):
    with pytest.raises(InputError, match=f'holds another Qwen3: {message}'):
      small.run(tmp_path / name, config(str(path), **fields))
  with pytest.raises(InputError, match='which another model cannot begin with'):
    small.run(tmp_path / 'kind', small.config('linear', start=str(path)))
  other, entries = tmp_path / 'llama', json.loads((path / 'config.json').read_text())
  other.mkdir()
  (other / 'config.json').write_text(json.dumps(entries | dict(model_type='llama')))
  with pytest.raises(InputError, match="describes a model of type 'llama'"):
    small.run(tmp_path / 'llama-run', small.config('linear', start=str(other)))


def test_a_damaged_folder_is_refused(tmp_path, folder):
  path, _ = folder
  damaged = tmp_path / 'damaged'
  damaged.mkdir()
  (damaged / 'config.json').write_bytes((path / 'config.json').read_bytes())
  with pytest.raises(InputError, match='model.safetensors'):
    small.run(tmp_path / 'run', config(str(damaged)))
