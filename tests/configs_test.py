"""Every config can be made, and says what its docstring says."""

import functools
import importlib
import pathlib

import jax
import ml_collections
import pytest

from configs import lm
from latentmem import data, model
from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.model import interface

FILES = sorted(path.stem for path in (pathlib.Path(__file__).parent.parent / 'configs').glob('[!_]*.py'))


@pytest.mark.parametrize('name', FILES)
def test_a_config_holds_every_field(name):
  config = importlib.import_module(f'configs.{name}').get_config()
  assert isinstance(config, ml_collections.ConfigDict)
  filled = config.to_dict()
  assert set(filled) - {'reason', 'personal'} == {'seed', 'mesh', 'model', 'data', 'train', 'evaluate'}
  assert model.fields(**filled['model']) == filled['model']


@pytest.mark.parametrize('name, choice, memory, chunk', [
    ('quickstart', 'none', 'none', 32), ('quickstart', 'titans_network', 'titans_network', 32),
    ('needle', 'mac', 'titans', 64), ('needle', 'mal,delta', 'delta', 64), ('recall', 'linear', 'linear', 64),
    ('recall', 'titans,pairs=8', 'titans', 32), ('recall', 'delta,pairs=20,length=100', 'delta', 64)])
def test_a_choice_is_followed_and_fits(name, choice, memory, chunk):
  filled = importlib.import_module(f'configs.{name}').get_config(choice).to_dict()
  assert model.fields(**filled['model']) == filled['model']
  assert (filled['model']['memory']['kind'], filled['model']['memory']['chunk']) == (memory, chunk)
  if name != 'quickstart':  # That one reads the standard library.
    assert data.make(filled['data']).vocab == 256


@pytest.mark.parametrize('size', lm.WIDTH)
@pytest.mark.parametrize('kind', lm.LAYERS)
def test_the_papers_sizes(kind, size):
  """Parameters within 5 % of what the name says."""
  it = model.make(**lm.get_config(f'{kind},size={size}').to_dict()['model'])
  shapes = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))
  assert abs(arrays.count_of(shapes) / (float(size[:-1]) * dict(m=1e6, b=1e9)[size[-1]]) - 1) < 0.05


def test_the_papers_settings():
  config = lm.get_config('mac,size=760m')
  assert config.train.length == 4096 and config.train.rows * config.train.length == 2**19
  assert config.train.steps * 2**19 == pytest.approx(30e9, rel=1e-3)
  assert lm.get_config('mac').train.steps * 2**19 == pytest.approx(15e9, rel=1e-3)
  assert (config.train.learning_rate, config.train.schedule, config.train.weight_decay) == (4e-4, 'cosine', 0.1)
  assert config.model.vocab == 32_000


@pytest.mark.parametrize('choice, said', [('mgal', "'mal'"), ('mag,size=350m', "'340m'"), ('mag,sise=340m', 'size=')])
def test_wrong_choices_are_refused(choice, said):
  with pytest.raises(InputError, match=said):
    lm.get_config(choice)
