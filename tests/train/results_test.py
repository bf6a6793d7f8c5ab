"""What a run came to is told in few lines and kept whole."""

import json

import pytest

from latentmem.base import records
from latentmem.train import results


class Source:
  def describe(self):
    return dict(kind='task', fingerprint='0123')


@pytest.fixture
def run(tmp_path):
  return records.create(tmp_path / 'run', {})


def test_an_evaluation_is_named_by_what_was_changed(run):
  result = results.evaluated(run, 7, [('data.task.length', '4096')], dict(accuracy=0.5), Source())
  path, = (run.path / 'evaluations').iterdir()
  assert path.name == 'step=7-data.task.length=4096.json' and json.loads(path.read_text()) == result
  assert result['overrides'] == {'data.task.length': '4096'}


def test_long_or_odd_names_stay_apart(run):
  for end in 'ab':
    results.evaluated(run, 7, [('data.corpus.path', '/texts/' + 'x' * 200 + end)], {}, Source())
  names = [p.name for p in (run.path / 'evaluations').iterdir()]
  assert len(names) == 2 and all('/' not in n and len(n) < 120 for n in names)


def test_scores_are_told():
  result = dict(heldout=dict(bits_per_byte=2.2051, by_position={'0-512': 2.5, '512-1024': None}), parameters=1000,
                tokens=2000, seconds=3.0, tokens_per_s=1000.0)
  told = results.told(result)
  assert 'held-out bits per byte  2.2051' in told and '0-512  2.5000' in told and '512-1024' not in told
  assert '1,000 parameters, 2,000 tokens, 3 s, 1,000 tokens/s' in told
