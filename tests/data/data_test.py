"""A source's dict is filled with every default, and misspellings are refused with the nearest name."""

import dataclasses
import pathlib
import subprocess
import sys

import pytest

from latentmem import data, tasks
from latentmem.base.errors import InputError


def test_every_field_of_every_part_is_filled():
  filled = data.fields(dict(kind='corpus'))
  assert filled == dict(kind='corpus', corpus=dict(kind='stdlib', heldout=0.05, path=''), tokens=dict(kind='bytes'),
                        max_document=0)
  filled = data.fields(dict(kind='task', task=dict(kind='recall', pairs=4)))
  assert filled['task'] == tasks.fields('recall', pairs=4) and filled['heldout_examples'] == 512


def test_a_filled_dict_is_left_as_it_is():
  for source in (dict(kind='corpus', max_document=64), dict(kind='task', task='needle')):
    filled = data.fields(source)
    assert data.fields(filled) == filled
    made = data.make(filled)
    assert dict(kind=filled['kind']) | dataclasses.asdict(made) == filled


def test_what_is_given_is_not_changed():
  given = dict(kind='corpus', corpus='files:/x')
  assert data.fields(given)['corpus']['path'] == '/x' and given == dict(kind='corpus', corpus='files:/x')


@pytest.mark.parametrize('corpus, field, value', [
    ('tfds:wiki40b/en:1.3.0', 'name', 'wiki40b/en:1.3.0'), ('files:C:/texts', 'path', 'C:/texts'),
    (dict(kind='tfds:lm1b', split='test'), 'name', 'lm1b')])
def test_short_forms_fill_the_first_field(corpus, field, value):
  filled = data.fields(dict(kind='corpus', corpus=corpus))['corpus']
  assert filled[field] == value and ':' not in filled['kind']
  assert filled.get('split', 'train') == ('test' if isinstance(corpus, dict) else 'train'), 'other fields are kept'


@pytest.mark.parametrize('source, says', [
    (dict(), 'needs its kind'), (dict(kind='corpse'), "did you mean 'corpus'"),
    (dict(kind='corpus', max_documents=3), "did you mean 'max_document'"),
    (dict(kind='corpus', corpus=dict(kind='stdlib', held=0.1)), "did you mean 'heldout'"),
    (dict(kind='corpus', corpus=dict(heldout=0.1)), 'corpus needs its kind'),
    (dict(kind='corpus', corpus='stdlb'), "did you mean 'stdlib'"),
    (dict(kind='corpus', corpus='stdlib:x'), 'nothing after a colon'),
    (dict(kind='corpus', tokens='byte'), "did you mean 'bytes'"),
    (dict(kind='task', task=dict(kind='recall', pair=3)), "did you mean 'pairs'"),
    (dict(kind='task', task='recal'), "did you mean 'recall'")])
def test_misspellings_are_refused(source, says):
  with pytest.raises(InputError, match=says):
    data.fields(source)


def test_it_loads_without_grain_or_tfds():
  script = ('import sys; from latentmem import data; data.make(dict(kind="corpus")); data.make(dict(kind="task")); '
            'print(sorted({"grain", "tensorflow_datasets", "jax", "tensorflow"} & set(sys.modules)))')
  root = pathlib.Path(__file__).parents[2]
  done = subprocess.run([sys.executable, '-c', script], cwd=root, capture_output=True, text=True)
  assert done.stdout.strip() == '[]', done.stderr
