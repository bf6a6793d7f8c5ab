"""A tokenizer.json writes text in tokens whose bytes are known."""

import json

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.data import tokens
from latentmem.data.tokens import interface
from tests import tokenizers


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  text = 'the quick brown fox jumps over the lazy dog'
  return tokenizers.write(tmp_path_factory.mktemp('hf'), text, 300, ('<s>',), opens='<s>')


def test_text_comes_back(path):
  coder = tokens.make('huggingface', path=str(path))
  for text in ('the quick brown fox', 'café 漢字 🙂'):
    ids = coder.encode(text)
    assert ids.dtype == np.int32 and coder.decode(ids) == text and ids.max() < coder.vocab
  assert len(coder.encode('the quick brown fox')) < 10
  assert coder.encode('the')[0] != 0, 'no special token is put before the text'


def test_a_folder_will_do(path):
  assert tokens.make('huggingface', path=str(path.parent)).vocab == tokens.make('huggingface', path=str(path)).vocab


def test_what_ends_a_turn_is_told_by_what_lies_beside(path, tmp_path):
  coder = tokens.make('huggingface', path=str(path))
  assert coder.stops == frozenset()
  (tmp_path / 'tokenizer.json').write_bytes(path.read_bytes())
  (tmp_path / 'tokenizer_config.json').write_text(json.dumps(dict(eos_token='<s>')))
  for there in (tmp_path, tmp_path / 'tokenizer.json'):
    assert tokens.make('huggingface', path=str(there)).stops == {coder.model.token_to_id('<s>')}


def test_bytes_are_the_texts_own(path):
  coder = tokens.make('huggingface', path=str(path))
  for text in ('the quick café 漢字 🙂!', 'a', ''):
    ids, sizes = coder.encode_sized(text)
    assert len(ids) == len(sizes) and sizes.sum() == len(text.encode()) and (sizes >= 0).all()


def test_bad_input_is_named(tmp_path, monkeypatch):
  with pytest.raises(InputError, match='needs a path'):
    tokens.make('huggingface')
  with pytest.raises(InputError, match='no file .*none.json'):
    tokens.make('huggingface', path=str(tmp_path / 'none.json'))
  (tmp_path / 'bad.json').write_text(json.dumps(dict(a=1)))
  coder = tokens.make('huggingface', path=str(tmp_path / 'bad.json'))
  monkeypatch.setattr(interface.importlib, 'import_module', lambda name: exec(f'import {name}_that_is_missing'))
  with pytest.raises(InputError, match='pip install tokenizers'):
    coder.encode('x')
  monkeypatch.undo()
  pytest.importorskip('tokenizers')
  with pytest.raises(InputError, match='bad.json cannot be read'):
    coder.encode('x')


def test_bytes_that_are_no_text_are_refused(path):
  with pytest.raises(InputError, match='Character 1 '):
    tokens.make('huggingface', path=str(path)).encode('a\udc80')
