"""The standard library's sources: modules, once, and nothing that is not text of its own."""

import pytest

from latentmem.base.errors import InputError
from latentmem.data import corpora


@pytest.fixture(scope='module')
def split():
  return corpora.make('stdlib').read()


def test_modules_are_documents(split):
  found = {d.name: d.text for d in split.train + split.heldout}
  assert len(found) == len(split.train) + len(split.heldout) > 300
  import json
  import json.decoder
  for module in (json, json.decoder, pytest.importorskip('argparse')):
    with open(module.__file__, encoding='utf-8') as f:
      assert found[module.__name__] == f.read()
  assert sum(map(len, found.values())) > 5_000_000


def test_tests_and_packages_are_left_out(split):
  names = [d.name for d in split.train + split.heldout]
  parts = {p for n in names for p in n.split('.')}
  assert not parts & {'test', 'tests', 'idle_test', 'site-packages', 'numpy', 'lib2to3', 'pydoc_data', '__init__'}
  assert {'unittest', 'asyncio', 'email'} <= parts and all(n.replace('.', '_').isidentifier() for n in names)


def test_a_share_is_held_out(split):
  # 5 % of the modules; five standard deviations.
  n = len(split.train) + len(split.heldout)
  assert abs(len(split.heldout) - 0.05 * n) < 5 * (n * 0.05 * 0.95) ** 0.5


def test_the_fingerprint_does_not_depend_on_where_it_lies(tmp_path):
  prints = []
  for name in ('one', 'two'):
    (tmp_path / name / 'pack' / 'test').mkdir(parents=True)
    (tmp_path / name / 'config-3.11').mkdir()
    for file in ('pack/__init__.py', 'pack/a.py', 'b.py', 'pack/test/c.py', 'config-3.11/d.py', '_sysconfigdata_x.py',
                 'e-f.py'):
      (tmp_path / name / file).write_text(f'# {file}\n')
    split = corpora.make('stdlib', path=str(tmp_path / name), heldout=0.0).read()
    assert [d.name for d in split.train] == ['b', 'pack', 'pack.a']
    prints.append(split.fingerprint)
  assert prints[0] == prints[1]


def test_a_declared_encoding_is_minded(tmp_path):
  (tmp_path / 'a.py').write_bytes('# -*- coding: latin-1 -*-\n# café\n'.encode('latin-1'))
  assert 'café' in corpora.make('stdlib', path=str(tmp_path), heldout=0.0).read().train[0].text


def test_no_library_is_refused(tmp_path):
  with pytest.raises(InputError, match='no text'):
    corpora.make('stdlib', path=str(tmp_path / 'none')).read()
  (tmp_path / 'bad.py').write_bytes(b'x = "\xff"\n')
  with pytest.raises(InputError, match='bad.py'):
    corpora.make('stdlib', path=str(tmp_path)).read()
