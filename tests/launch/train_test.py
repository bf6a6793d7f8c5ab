"""Two commands: one trains and leaves a whole run folder, the other scores it anew."""

import json

import pytest

from latentmem.base import records
from tests.launch.commands import launch

CONFIG = """
import ml_collections
from latentmem import data, model, train

def get_config():
  return ml_collections.ConfigDict(dict(
      seed=0, mesh=dict(data=1, fsdp=1, tensor=1),
      model=model.fields('decoder', vocab=0, width=16, layers=2, ff=0, compose=dict(kind='mag', heads=2, window=8),
                         memory=dict(kind='titans', heads=2, chunk=8, depth=1)),
      data=data.fields(dict(kind='corpus', corpus='files:{corpus}', tokens='bytes')),
      train=train.fields(steps=4, rows=2, length=32, telemetry_every=2, evaluate_every=2, save_every=2),
      evaluate=train.evaluate_fields(rows=2)))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with a corpus, a config and a run."""
  folder = tmp_path_factory.mktemp('launch')
  (folder / 'texts').mkdir()
  for i in range(40):
    (folder / 'texts' / f'{i}.txt').write_text(f'Text number {i}. ' * (5 + i))
  (folder / 'config.py').write_text(CONFIG.format(corpus=folder / 'texts'))
  run = launch('train', f'--config={folder / "config.py"}', f'--workdir={folder / "run"}')
  assert run.returncode == 0, run.stderr
  (folder / 'said').write_text(run.stdout + run.stderr)
  return folder


def test_a_run_folder_is_whole(folder):
  run = records.read(folder / 'run')
  names = {p.name for p in run.path.iterdir()}
  assert names == {'config.json', 'data.json', 'metrics.jsonl', 'result.json', 'checkpoints', 'sample.txt',
                   'passage.json', 'report.html', 'figures', '.lock'}
  assert run.config['model']['memory']['chunk'] == 8 and run.config['model']['vocab'] == 256
  wanted = {'heldout', 'parameters', 'state_bytes', 'tokens', 'seconds', 'tokens_per_s', 'flops', 'peak_memory', 'seed',
            'versions', 'commit', 'machine', 'steps'}
  assert wanted <= set(run.result) and run.result['flops'] > 0 and run.result['tokens'] == 4 * 2 * 32
  assert {'bits_per_byte', 'by_position'} <= set(run.result['heldout'])
  assert [line['step'] for line in run.metrics('telemetry')] == [2, 4]


def test_it_shows_progress_and_scores(folder):
  said = (folder / 'said').read_text()
  assert 'step 4/4' in said and 'bits/byte' in said and 'held-out bits per byte' in said


def test_the_passage_fits_its_pieces(folder):
  passage = json.loads((folder / 'run' / 'passage.json').read_text())
  assert len(passage['tokens']) == len(passage['pieces']) == len(passage['surprise_before'][1])
  assert len(passage['surprise_before']) == 2


def test_the_same_command_trains_no_more_and_another_config_is_refused(folder):
  args = f'--config={folder / "config.py"}', f'--workdir={folder / "run"}'
  kept = lambda: [(folder / 'run' / name).read_bytes() for name in ('metrics.jsonl', 'result.json')]
  before = kept()
  assert launch('train', *args).returncode == 0
  other = launch('train', *args, '--config.train.steps=6')
  assert other.returncode == 2 and 'train.steps: 4 there, 6 asked for' in other.stderr
  assert kept() == before


def test_evaluate_gives_the_score_of_the_run(folder):
  run = launch('evaluate', f'--workdir={folder / "run"}')
  assert run.returncode == 0, run.stderr
  told = json.loads(run.stdout)
  assert told == json.loads((folder / 'run' / 'evaluations' / 'step=4.json').read_text())
  final = records.read(folder / 'run').result['heldout']
  assert told['heldout']['bits_per_byte'] == pytest.approx(final['bits_per_byte'], rel=1e-6)


def test_a_run_that_stays_below_enough_is_whole_and_the_command_fails(tmp_path):
  (tmp_path / 'config.py').write_text('''
import ml_collections
from tests.train import small

def get_config():
  return ml_collections.ConfigDict(small.config(steps=2, evaluate_every=1, enough=1.0))
''')
  run = launch('train', f'--config={tmp_path / "config.py"}', f'--workdir={tmp_path / "run"}')
  assert run.returncode == 2
  assert run.stderr.splitlines()[-1].endswith(
      f'made all its 2 steps and stayed below train.enough=1.0. A run with train.start={tmp_path / "run"} goes on from '
      'there.')
  assert records.read(tmp_path / 'run').result['steps'] == 2 and (tmp_path / 'run' / 'report.html').exists()


@pytest.mark.parametrize('args, said', [
    (['--step=3'], 'has no checkpoint of step 3; it has [2, 4]'),
    (['--config.model.vocab=300'], 'embed is (256, 16) there, (300, 16) wanted'),
    (['--config.evaluate.rws=2'], "no field 'rws' in evaluate (did you mean 'rows'?)"),
])
def test_evaluate_refuses_what_does_not_fit(folder, args, said):
  run = launch('evaluate', f'--workdir={folder / "run"}', *args)
  assert run.returncode == 2 and run.stderr.startswith('error: ') and said in run.stderr
