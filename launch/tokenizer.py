"""Learns a tokenizer from a config's corpus: byte-level BPE, in a folder that any config's data.tokens reads.

  python -m launch.tokenizer --config=configs/lm.py --config.data.corpus.path=books --vocab=4096 --to=tokens
  python -m launch.train --config=configs/lm.py --config.data.corpus.path=books --config.data.tokens.kind=huggingface
      --config.data.tokens.path=tokens --config.model.vocab=0

What the corpus holds out is not read. Any text can be written: 256 of the tokens are the bytes.
"""

import pathlib

from absl import flags, logging

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.data import corpora
from latentmem.data.tokens import interface
from launch import shell

BYTES = 256
_CONFIG = shell.define_config()
_VOCAB = flags.DEFINE_integer('vocab', 4096, 'Tokens, the 256 bytes among them.')
_TO = flags.DEFINE_string('to', None, 'Folder of the tokenizer.json, which may not be there yet.')


def main():
  logging.set_verbosity(logging.FATAL)
  if not _TO.value:
    raise InputError('--to is missing; it names the folder to write the tokenizer.json to.')
  if _VOCAB.value < BYTES:
    raise InputError(f'A vocabulary of {_VOCAB.value} has no room for the {BYTES} bytes.')
  file = pathlib.Path(_TO.value) / 'tokenizer.json'
  if file.exists():
    raise InputError(f'{file} is there already, and runs may have been trained with it; another --to would do.')
  config = shell.config_of(_CONFIG)
  if config['data']['kind'] != 'corpus':
    raise InputError(f"A tokenizer is learned from the text of a corpus; this config's data are of the kind "
                     f"{config['data']['kind']!r}.")
  texts = [document.text for document in corpora.make(**config['data']['corpus']).read().train]
  learned = bpe(texts, _VOCAB.value)
  shell.writable(file)
  records.write_whole(file, learned.to_str(pretty=True))
  size, tokens = (sum(map(len, parts)) for parts in
                  ([text.encode() for text in texts], [made.ids for made in learned.encode_batch(texts)]))
  print(f'{file}: {learned.get_vocab_size():,} tokens; {size / tokens:.2f} bytes a token on the {size:,} bytes it was '
        'learned from.')


def bpe(texts: list[str], vocab: int):
  """A `tokenizers.Tokenizer` of so many tokens, or fewer where the texts have no more pairs to join."""
  package = interface.package('tokenizers')
  learned = package.Tokenizer(package.models.BPE())
  learned.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
  learned.decoder = package.decoders.ByteLevel()
  learned.train_from_iterator(texts, package.trainers.BpeTrainer(
      vocab_size=vocab, show_progress=False, initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet()))
  return learned


if __name__ == '__main__':
  shell.run(main)
