"""A SentencePiece file writes text in tokens whose bytes are known."""

import pathlib

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.data import tokens
from latentmem.data.tokens import interface

TEXT = 'the quick  brown fox, 漢字 ä🙂 of the dog  '


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  package = pytest.importorskip('sentencepiece')
  prefix = tmp_path_factory.mktemp('sp') / 'm'
  lines = [f'the quick brown fox jumps over the lazy dog {i} ä 漢字' for i in range(200)]
  package.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix=str(prefix), vocab_size=70,
                                     model_type='bpe', hard_vocab_limit=False, minloglevel=2)
  return str(prefix) + '.model'


def test_text_comes_back(path):
  coder = tokens.make('sentencepiece', path=path)
  ids = coder.encode('the quick brown fox')
  assert ids.dtype == np.int32 and coder.decode(ids) == 'the quick brown fox' and ids.max() < coder.vocab
  assert len(ids) < len('the quick brown fox')
  assert ''.join(coder.pieces(ids)).strip() == 'the quick brown fox'


def test_bytes_are_the_texts_own(path):
  coder = tokens.make('sentencepiece', path=path)
  for text in (TEXT, 'a', ''):
    ids, sizes = coder.encode_sized(text)
    assert len(ids) == len(sizes) and sizes.sum() == len(text.encode()) and (sizes >= 0).all()
  # The text before a word's last piece is what its pieces' bytes add up to.
  ids, sizes = coder.encode_sized('the fox')
  assert coder.decode(ids[:np.searchsorted(np.cumsum(sizes), 3) + 1]) == 'the'


def test_the_fingerprint_is_the_files(path, tmp_path):
  files = [pathlib.Path(path), tmp_path / 'x.model', tmp_path / 'y.model']
  files[1].write_bytes(files[0].read_bytes())
  files[2].write_bytes(files[0].read_bytes() + b' ')
  prints = [tokens.make('sentencepiece', path=str(p)).fingerprint for p in files]
  assert prints[0] == prints[1] != prints[2]


def test_bad_input_is_named(tmp_path, monkeypatch):
  with pytest.raises(InputError, match='needs a path'):
    tokens.make('sentencepiece')
  with pytest.raises(InputError, match='no file .*none.model'):
    tokens.make('sentencepiece', path=str(tmp_path / 'none.model'))
  (tmp_path / 'bad.model').write_text('nothing of the kind')
  coder = tokens.make('sentencepiece', path=str(tmp_path / 'bad.model'))
  monkeypatch.setattr(interface.importlib, 'import_module', lambda name: exec(f'import {name}_that_is_missing'))
  with pytest.raises(InputError, match='pip install sentencepiece'):
    coder.encode('x')
  monkeypatch.undo()
  pytest.importorskip('sentencepiece')
  with pytest.raises(InputError, match='bad.model cannot be read'):
    coder.encode('x')


def test_bytes_that_are_no_text_are_refused(path):
  with pytest.raises(InputError, match='Character 1 '):
    tokens.make('sentencepiece', path=str(path)).encode('a\udc80')
