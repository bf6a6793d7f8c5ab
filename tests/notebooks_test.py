"""Every notebook runs from top to bottom, imports and shows, and is saved without outputs."""

import ast
import json
import pathlib

import matplotlib
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parent.parent / 'notebooks').glob('*.ipynb'))
# The others show what has tests of its own, part by part.
BY_DEFAULT = '01_a_memory_by_hand'


def code_of(path):
  cells = [c for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']
  return cells, [''.join(c['source']) for c in cells]


def test_there_are_notebooks():
  assert NOTEBOOKS


@pytest.mark.parametrize('path', [
    pytest.param(path, id=path.stem, marks=() if path.stem == BY_DEFAULT else pytest.mark.slow) for path in NOTEBOOKS])
def test_it_runs(path, capsys):
  if 'planning' in path.stem:
    pytest.importorskip('libtpu', reason="needs pip install -e '.[plan]'")
  matplotlib.use('Agg')
  space = {}
  for number, code in enumerate(code_of(path)[1]):
    exec(compile(code, f'{path.name}, code cell {number}', 'exec'), space)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_it_holds_no_logic_and_no_outputs(path):
  cells, code = code_of(path)
  assert all(not c['outputs'] and c['execution_count'] is None for c in cells)
  for node in ast.walk(ast.parse('\n'.join(code))):
    assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.If, ast.While, ast.Try))
