"""A small tokenizer.json, learned from a few words."""

import pathlib

import pytest


def write(folder: pathlib.Path, text: str, vocab: int, special: tuple[str, ...] = (), opens: str = '') -> pathlib.Path:
  """Writes folder/tokenizer.json: pairs of bytes, special tokens numbered from 0; `opens` begins every text."""
  package = pytest.importorskip('tokenizers')
  made = package.Tokenizer(package.models.BPE())
  made.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
  made.decoder = package.decoders.ByteLevel()
  made.train_from_iterator([text] * 20, package.trainers.BpeTrainer(
      vocab_size=vocab, initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet(), special_tokens=list(special),
      show_progress=False))
  if opens:
    made.post_processor = package.processors.TemplateProcessing(
        single=f'{opens} $A', special_tokens=[(opens, special.index(opens))])
  path = folder / 'tokenizer.json'
  made.save(str(path))
  return path
