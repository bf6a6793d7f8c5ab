"""Files as documents, and one clear error for each way they can be wrong."""

import json
import os
import shutil

import pytest

from latentmem.base.errors import InputError
from latentmem.data import corpora


def read(path, **fields):
  return corpora.make('files', path=str(path), **(dict(heldout=0.0) | fields)).read()


def names(documents):
  return [d.name for d in documents]


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'in' / 'deep').mkdir(parents=True)
  (tmp_path / 'in' / 'b.txt').write_text('bee')
  (tmp_path / 'in' / 'deep' / 'a.txt').write_text('café')
  (tmp_path / 'in' / 'blank.txt').write_text(' \n')
  (tmp_path / 'in' / 'c.dat').write_text('not this')
  lines = [dict(text=f'line {i}', id=i) for i in range(3)]
  (tmp_path / 'in' / 'd.jsonl').write_text('\n'.join(map(json.dumps, lines[:2])) + '\n\n' + json.dumps(lines[2]))
  return tmp_path / 'in'


def test_a_folder_is_read_with_all_below_it(folder):
  split = read(folder)
  assert [tuple(d)[:2] for d in split.train] == [
      ('b.txt', 'bee'), ('d.jsonl:1', 'line 0'), ('d.jsonl:2', 'line 1'), ('d.jsonl:4', 'line 2'),
      ('deep/a.txt', 'café')]


def test_a_pattern_is_read(folder, monkeypatch):
  assert names(read(folder / '**' / '*.txt').train) == ['b.txt', 'deep/a.txt']
  monkeypatch.chdir(folder)
  assert names(read('*/*.txt').train) == ['deep/a.txt']
  assert names(read(folder, pattern='*.dat').train) == ['c.dat']


def test_names_move_with_the_folder(folder, tmp_path):
  shutil.copytree(folder, tmp_path / 'out')
  moved = [read(path).fingerprint for path in (tmp_path / 'out', tmp_path / 'out' / '**' / '*.[tj]*')]
  assert moved == [read(folder).fingerprint] * 2


def test_another_field_is_read(tmp_path):
  (tmp_path / 'a.jsonl').write_text('{"body": "yes", "text": "no"}\n{"body": "half \\ud800", "text": "no"}')
  assert [d.text for d in read(tmp_path / 'a.jsonl', field='body').train] == ['yes', 'half ?']


def test_one_text_is_split_at_its_end(tmp_path):
  text = ''.join(f'line {i:03d}\n' for i in range(100))
  (tmp_path / 'a.txt').write_text(text)
  split = read(tmp_path / 'a.txt', heldout=0.1)
  assert split.train[0].text + split.heldout[0].text == text and split.heldout[0].text.startswith('line 090')
  assert len(read(tmp_path / 'a.txt').train) == 1


def test_lines_are_split_by_number(tmp_path):
  (tmp_path / 'a.jsonl').write_text('\n'.join(json.dumps(dict(text=f'{i}')) for i in range(100)))
  split = read(tmp_path / 'a.jsonl', heldout=0.2)
  assert set(names(split.train)).isdisjoint(names(split.heldout)) and 5 < len(split.heldout) < 40


def test_held_out_files_may_be_named(folder):
  split = read(folder, heldout_path=str(folder / 'deep'))
  assert names(split.heldout) == ['heldout/a.txt'] and 'train/deep/a.txt' not in names(split.train)
  assert len(split.train) == 4


@pytest.mark.parametrize('make, fields, says', [
    (lambda p: '', {}, 'needs a path'),
    (lambda p: p / 'b.text', {}, r"no file.*did you mean 'b.txt'"),
    (lambda p: p / '*.csv', {}, 'nothing that fits'),
    (lambda p: p, dict(pattern='*.csv'), r"'\*.csv'.*\.dat"),
    (lambda p: p / 'deep', dict(encoding='ascii'), r'a.txt is no ascii text: byte 0xc3 at 3'),
    (lambda p: p / 'deep', dict(encoding='utf-9'), "no encoding 'utf-9'"),
    (lambda p: p / 'blank.txt', {}, 'no text'),
    (lambda p: p / 'd.jsonl', dict(field='txt'), r"d.jsonl, line 1 .*'txt'.*did you mean 'text'"),
    (lambda p: p / 'd.jsonl', dict(field='id'), "line 1 has no text in a field 'id'"),
    (lambda p: p / 'b.txt', dict(heldout_path='none.txt'), 'none.txt'),
    (lambda p: p / 'd.jsonl', dict(heldout=0.001), '3 to train on and 0 held out')])
def test_bad_input_is_named(folder, make, fields, says):
  with pytest.raises(InputError, match=says):
    read(make(folder), **fields)


@pytest.mark.parametrize('line, says', [
    ('{"text": "b"', r'a.jsonl, line 2 is not JSON: .* column'), ('[1]', 'line 2 .* a list')])
def test_a_bad_line_is_named(tmp_path, line, says):
  (tmp_path / 'a.jsonl').write_text('{"text": "a"}\n' + line)
  with pytest.raises(InputError, match=says):
    read(tmp_path / 'a.jsonl')


def test_an_empty_folder_is_named(tmp_path):
  with pytest.raises(InputError, match='no files at all'):
    read(tmp_path)


@pytest.mark.skipif('LATENTMEM_DATA' not in os.environ, reason='needs LATENTMEM_DATA, a folder with books/*.txt')
def test_books_are_documents():
  split = read(os.environ['LATENTMEM_DATA'] + '/books')
  assert len(split.train) > 1 and min(len(d.text) for d in split.train) > 10_000
