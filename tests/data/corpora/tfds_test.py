"""tfds datasets are read without TensorFlow, and nothing is ever fetched unasked."""

import pathlib
import subprocess
import sys

import pytest

from latentmem import data
from latentmem.base.errors import InputError
from latentmem.data import corpora


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  sys.path.insert(0, str(pathlib.Path(__file__).parent))
  try:
    import tiny_texts
  finally:
    sys.path.pop(0)
  folder = tmp_path_factory.mktemp('tfds')
  tiny_texts.TinyTexts(data_dir=folder, file_format='array_record').download_and_prepare()
  return str(folder)


def test_examples_are_documents(data_dir):
  split = corpora.make('tfds', name='tiny_texts', data_dir=data_dir, heldout=0.2).read()
  texts = {d.text for d in split.train + split.heldout}
  assert texts == {f'text number {i}, café' for i in range(60)}
  assert len(split.train) + len(split.heldout) == 60 and 2 <= len(split.heldout) <= 25
  assert split == corpora.make('tfds', name='tiny_texts:1.0.0', data_dir=data_dir, heldout=0.2).read()


def test_a_split_may_be_held_out(data_dir):
  split = corpora.make('tfds', name='tiny_texts', data_dir=data_dir, split='train[:50%]',
                       heldout_split='validation').read()
  assert len(split.train) == 30
  assert sorted(d.text for d in split.heldout) == [f'text number {i}, café' for i in range(60, 65)]


def test_the_short_form_is_a_source(data_dir):
  filled = data.fields(dict(kind='corpus', corpus=dict(kind='tfds:tiny_texts', data_dir=data_dir, heldout=0.2)))
  assert filled['corpus']['kind'] == 'tfds' and filled['corpus']['name'] == 'tiny_texts'
  source = data.make(filled)
  batch = next(source.train(rows=2, length=16, align=4))
  assert source.decode(batch['tokens_BT'][0, :10]) == 'text numbe'


def test_it_is_read_without_tensorflow(data_dir):
  script = ('import sys; from latentmem.data import corpora; '
            f'split = corpora.make("tfds", name="tiny_texts", data_dir={data_dir!r}, heldout=0.0).read(); '
            'print(len(split.train), "tensorflow" in sys.modules)')
  root = pathlib.Path(__file__).parents[3]
  # A fresh process has never imported the builder: the prepared files are enough.
  done = subprocess.run([sys.executable, '-c', script], cwd=root, capture_output=True, text=True)
  assert done.stdout.strip() == '60 False', done.stderr


@pytest.mark.parametrize('fields, says', [
    (dict(name=''), 'needs the name'), (dict(split='test'), "split 'test'.*'train'"),
    (dict(heldout_split='test'), "split 'test'"), (dict(field='texts'), "did you mean 'text'"),
    (dict(field='number'), 'not text'), (dict(name='tiny_texts:9.0.0'), 'tiny_texts:9.0.0'),
    (dict(name='no_such_texts'), 'no_such_texts')])
def test_bad_input_is_named(data_dir, fields, says):
  with pytest.raises(InputError, match=says):
    corpora.make('tfds', **(dict(name='tiny_texts', data_dir=data_dir) | fields)).read()


def test_nothing_is_fetched_unasked(data_dir, tmp_path, monkeypatch):
  import tiny_texts
  monkeypatch.setattr(tiny_texts.TinyTexts, 'download_and_prepare', lambda *a, **k: pytest.fail('fetched'))
  with pytest.raises(InputError, match='download=True'):
    corpora.make('tfds', name='tiny_texts', data_dir=str(tmp_path)).read()


def test_it_is_prepared_where_that_is_asked_for(data_dir, tmp_path):
  split = corpora.make('tfds', name='tiny_texts', data_dir=str(tmp_path), download=True, heldout=0.0).read()
  assert len(split.train) == 60
