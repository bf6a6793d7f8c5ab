"""Mistakes are told in one line that names the nearest thing, and exit with code 2."""

import pathlib

import pytest

from latentmem.base.errors import InputError
from launch import shell
from tests.launch.commands import launch

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = dict(seed=0, model=dict(width=16, memory=dict(kind='titans', chunk=32)),
              train=dict(tensorboard=False, wandb=''))


@pytest.mark.parametrize('path, said', [
    ('model.memory.chunck', "no field 'chunck' in model.memory (did you mean 'chunk'?); it has ['kind', 'chunk']."),
    ('modl.width', "no field 'modl' in config (did you mean 'model'?); it has ['seed', 'model', 'train']."),
    ('model.width.of', "no field 'of' in model.width."),
    ('model.memory.chunk', None),
])
def test_a_field_that_does_not_exist_is_named_with_the_nearest(path, said):
  assert shell.unknown(CONFIG, path) == said


def test_fields_are_read_as_what_they_were():
  chosen = [('model.memory.chunk', '16'), ('train.tensorboard', 'true'), ('train.wandb', 'mine')]
  new = shell.overridden(CONFIG, chosen)
  assert new['model']['memory']['chunk'] == 16 and new['train'] == dict(tensorboard=True, wandb='mine')
  assert CONFIG['model']['memory']['chunk'] == 32


@pytest.mark.parametrize('path, text, said', [
    ('model.memory.chunk', 'many', 'config.model.memory.chunk=many: it is a int, now 32'),
    ('train.tensorboard', 'perhaps', 'it is a bool, now False'),
    ('model.memory.chunck', '16', "did you mean 'chunk'"),
])
def test_values_that_do_not_fit_are_refused(path, text, said):
  with pytest.raises(InputError, match=said):
    shell.overridden(CONFIG, [(path, text)])


def test_a_misspelt_override_is_found_among_the_arguments():
  argv = ['train', '--config=tests/train/tiny_config.py', '--config.train.steps=3', '--config.train.step=3']
  assert shell._misspelt(argv).startswith("no field 'step' in train (did you mean 'steps'?)")


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path):
  shell.writable(tmp_path / 'new' / 'record.json')
  assert (tmp_path / 'new').is_dir()
  (tmp_path / 'file').touch()
  with pytest.raises(InputError, match='record.json cannot be written'):
    shell.writable(tmp_path / 'file' / 'record.json')


@pytest.mark.parametrize('args, said', [
    (['--config=tests/train/tiny_config.py', '--config.model.memory.chunck=3'], "no field 'chunck' in model.memory"),
    (['--config=configs/recall.py:linea'], "latentmem.memory has no 'linea' (did you mean 'linear'?)"),
    (['--config=configs/nowhere.py'], 'The config file cannot be read'),
    (['--config=configs/nowhere.py', '--config.seed=1'], 'The config file cannot be read'),
    (['--config=configs/recall.py:titans,pairs=abc'], "ValueError: invalid literal for int() with base 10: 'abc'"),
    (['--config=tests/train/tiny_config.py', '--config.seed=-1'], 'A seed is a number from 0'),
    (['--config=tests/train/tiny_config.py', '--config.model.layers=0'], 'decoder has layers=0'),
    (['--config=tests/train/tiny_config.py', '--workdir=setup.py/run'], 'setup.py/run cannot be written'),
    (['--confg=configs/recall.py'], 'Did you mean: config'),
    ([], '--config is missing'),
])
def test_mistakes_exit_2_with_one_error(args, said):
  run = launch('train', *args)
  assert run.returncode == 2
  assert run.stderr.startswith('error: ') and said in run.stderr and 'Traceback' not in run.stderr


@pytest.mark.parametrize('given, path', [('runs/plan', 'runs/plan.png'), ('runs/plan-1.3b', 'runs/plan-1.3b.png'),
                                         ('a.json', 'a.png')])
def test_an_ending_comes_behind_the_name(given, path):
  assert str(shell.ending(pathlib.Path(given), '.png')) == path
