"""`launch.generate` streams text, and a document fed once can be asked about later.

Each test is a process of its own, as users have it: the launchers' flags share names.
"""

import re

import pytest

from tests.launch import commands

CONFIG = """
import ml_collections
from latentmem import data, model, train

def get_config():
  return ml_collections.ConfigDict(dict(
      seed=0, mesh=dict(data=1, fsdp=1, tensor=1),
      model=model.fields('decoder', vocab=0, width=16, layers=1, ff=0, compose=dict(kind='mag', heads=2, window=8),
                         memory=dict(kind='linear', heads=2, chunk=8)),
      data=data.fields(dict(kind='corpus', corpus='files:{corpus}', tokens='bytes')),
      train=train.fields(steps=1, rows=2, length=32, telemetry_every=0, evaluate_every=0, save_every=1),
      evaluate=train.evaluate_fields(rows=1, length=32)))
"""
DOCUMENT = 'one, two, thrée;\n' * 40


def launch(name, *args):
  done = commands.launch(name, *args)
  return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Holds run/, trained for one step, and document.txt."""
  folder = tmp_path_factory.mktemp('generate')
  (folder / 'corpus').mkdir()
  for i in range(9):
    (folder / 'corpus' / f'{i}.txt').write_text(DOCUMENT[i:])
  (folder / 'config.py').write_text(CONFIG.format(corpus=folder / 'corpus'))
  (folder / 'document.txt').write_text(DOCUMENT)
  code, out, err = launch('train', f'--config={folder}/config.py', f'--workdir={folder}/run')
  assert code == 0, out + err
  return folder


@pytest.mark.slow
def test_a_document_fed_once_is_asked_later_as_if_at_once(folder):
  common = [f'--workdir={folder}/run', '--temperature=1', '--seed=5']
  document, state = f'--prompt_file={folder}/document.txt', f'{folder}/state'
  code, at_once, err = launch('generate', *common, document, '--prompt=four', '--length=60')
  assert code == 0, err
  code, out, err = launch('generate', *common, document, '--length=0', f'--state_out={state}')
  assert (code, out) == (0, ''), err
  code, later, err = launch('generate', *common, f'--state_in={state}', '--prompt=four', '--length=60')
  assert code == 0, err
  assert later == at_once and len(later) > 30


@pytest.mark.parametrize('args, said', [
    ((), '--workdir is missing'),
    (('--workdir={folder}/run',), 'at least one token'),
    (('--workdir={folder}/run', '--prompt=a', '--top_p=2'), 'top_p is 2'),
    (('--workdir={folder}/run', '--prompt_file={folder}/none.txt'), 'none.txt cannot be read'),
    (('--workdir={folder}/run', '--prompt=a', '--state_in={folder}/document.txt'), 'document.txt is no state file'),
    (('--workdir={folder}/run', '--prompt=a', '--state_out={folder}/none/state'), 'folder that does not exist'),
    (('--workdir={folder}/run', '--prompt=a', '--lenght=3'), 'Did you mean: length'),
])
def test_mistakes_are_told_in_one_line(folder, args, said):
  code, out, err = launch('generate', *(a.format(folder=folder) for a in args))
  assert code == 2 and out == ''
  errors = [line for line in err.splitlines() if line.startswith('error: ')]
  assert len(errors) == 1 and 'Traceback' not in err
  assert re.search(said, errors[0])
