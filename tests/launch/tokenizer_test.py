"""A tokenizer learned from a config's corpus writes any text, and is not written over."""

import pytest

from latentmem.data import tokens
from tests.launch.commands import launch


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tokenizer')
  (folder / 'texts').mkdir()
  for i in range(30):
    (folder / 'texts' / f'{i}.txt').write_text(f'The lighthouse keeper wrote number {i}. ' * 3)
  args = ('--config=configs/lm.py', f'--config.data.corpus.path={folder / "texts"}', f'--to={folder / "made"}')
  return folder, args, launch('tokenizer', *args, '--vocab=300')


def test_it_writes_any_text_in_fewer_tokens_than_bytes(made):
  folder, _, done = made
  assert done.returncode == 0 and '300 tokens' in done.stdout, done.stderr
  coder = tokens.make('huggingface', path=str(folder / 'made'))
  for text in ('The lighthouse keeper', 'Ünïcode – 漢字\n\t!', ''):
    ids, sizes = coder.encode_sized(text)
    assert coder.decode(ids) == text and sizes.sum() == len(text.encode())
  assert coder.vocab == 300 and len(coder.encode('The lighthouse keeper')) < 8


def test_mistakes_are_told(made):
  folder, args, _ = made
  before = (folder / 'made' / 'tokenizer.json').read_bytes()
  for given, said in ((args, 'is there already'), ((*args[:2], f'--to={folder / "x"}', '--vocab=200'), 'no room'),
                      (args[:2], '--to is missing'),
                      (('--config=configs/recall.py', f'--to={folder / "x"}'), "of the kind 'task'")):
    done = launch('tokenizer', *given)
    assert done.returncode == 2 and said in done.stderr and 'Traceback' not in done.stderr
  assert (folder / 'made' / 'tokenizer.json').read_bytes() == before and not (folder / 'x').exists()
