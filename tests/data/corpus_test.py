"""A corpus in batches: its own documents, its own bytes, and one clear error for what cannot be."""

import math

import numpy as np
import pytest

from latentmem import data
from latentmem.base.errors import InputError
from tests import tokenizers


@pytest.fixture
def folder(tmp_path):
  for i in range(40):
    (tmp_path / f'{i:02d}.txt').write_text(f'document {i} ' + 'abc ' * (5 * i))
  return tmp_path


def make(folder, heldout=0.25, **fields):
  return data.make(dict(kind='corpus', corpus=dict(kind='files', path=str(folder), heldout=heldout), **fields))


def texts(source, batches, rows, ended=True):
  """Documents as they lie in the rows, decoded; `ended` False leaves out each row's last, which may go on."""
  batches = list(batches)
  join = lambda name: np.concatenate([b[name] for b in batches], axis=1)
  tokens, targets, weights, reset = map(join, ('tokens_BT', 'targets_BT', 'weights_BT', 'reset_BT'))
  for b in range(rows):
    edges = [*np.flatnonzero(reset[b]), reset.shape[1]]
    for a, z in list(zip(edges[:-1], edges[1:]))[:None if ended else -1]:
      n = a + int(weights[b, a:z].sum())
      yield source.decode([*tokens[b, a:n], targets[b, n - 1]])


def test_held_out_documents_are_read_whole_and_apart(folder):
  source = make(folder)
  held = set(texts(source, source.heldout(3, 32, 8), 3))
  assert held == {d.text for d in source.split.heldout}
  iterator = source.train(3, 32, 8)
  trained = set(texts(source, (next(iterator) for _ in range(200)), 3, ended=False))
  assert trained == {d.text for d in source.split.train} and not held & trained


def test_long_documents_are_cut(folder):
  source = make(folder, max_document=64)
  parts = list(texts(source, source.heldout(3, 32, 8), 3))
  assert max(map(len, parts)) == 65
  # Every byte but each document's first is scored, cut or not.
  scored = lambda s: sum(b['weights_BT'].sum() for b in s.heldout(3, 32, 8))
  assert scored(source) == scored(make(folder)) == sum(len(d.text) - 1 for d in source.split.heldout)


def test_bits_are_by_byte_whatever_the_tokens(folder, tmp_path_factory):
  path = tokenizers.write(tmp_path_factory.mktemp('hf'), 'document abc abc ', 290)
  source = make(folder, tokens=f'huggingface:{path}')
  scorer = source.scorer()
  for batch in source.heldout(3, 32, 8):
    scorer.add(batch, np.full(batch['tokens_BT'].shape, math.log(2)))
  result = scorer.result()
  held = [(source.coder.encode_sized(d.text), d.text) for d in source.split.heldout]
  assert result['tokens'] == sum(len(ids) - 1 for (ids, _), _ in held)
  assert result['bytes'] == sum(len(text.encode()) - sizes[0] for (_, sizes), text in held)
  # One bit a token.
  assert result['bits_per_byte'] == pytest.approx(result['tokens'] / result['bytes'])
  assert result['bytes'] > 1.5 * result['tokens']


def test_bytes_score_themselves(folder):
  source = make(folder)
  scorer = source.scorer()
  for batch in source.heldout(3, 32, 8):
    assert 'bytes_BT' not in batch
    scorer.add(batch, np.full(batch['tokens_BT'].shape, math.log(2)), batch['targets_BT'])
  result = scorer.result()
  assert result['bits_per_byte'] == pytest.approx(1) and set(result['by_position']) == {'0-512', '512-1024'}


def test_it_describes_itself(folder):
  source = make(folder)
  about = source.describe()
  assert about['vocab'] == source.vocab == 256
  assert about['train']['documents'] + about['heldout']['documents'] == 40
  assert about['train']['tokens'] == about['train']['bytes'] == sum(len(d.text) for d in source.split.train)
  assert source.decode(source.encode('café')) == 'café' and source.pieces(source.encode('ab')) == ['a', 'b']
  prints = {source.fingerprint, make(folder, heldout=0.5).fingerprint, make(folder, max_document=64).fingerprint}
  assert len(prints) == 3 and make(folder).fingerprint == source.fingerprint


def test_nothing_is_read_until_asked(tmp_path):
  source = make(tmp_path / 'not there')
  assert source.vocab == 256 and source.decode(source.encode('x')) == 'x'
  with pytest.raises(InputError, match='not there'):
    source.describe()


@pytest.mark.parametrize('heldout, fields, call, says', [
    (0.25, dict(max_document=-1), None, 'max_document'),
    (0.25, dict(), lambda s: s.train(64, 32), r'documents to train on, too few for 64 rows.*max_document'),
    (0.25, dict(max_document=12), lambda s: s.train(2, 32, 8), '12 tokens is not a multiple of 8'),
    (0.0, dict(), lambda s: s.heldout(2, 32), 'holds out 0 documents'),
    (0.001, dict(), lambda s: s.heldout(2, 32), '40 to train on and 0 held out')])
def test_bad_input_is_named(folder, heldout, fields, call, says):
  with pytest.raises(InputError, match=says):
    call(make(folder, heldout, **fields))
