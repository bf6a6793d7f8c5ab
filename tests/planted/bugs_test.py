"""Bugs that a test must catch: each is planted in a copy of the tree, and the test named for it must go red.

`bugs.json` holds for each the file, what stands there, what is planted, and the test (or the file of tests).
"""

import ast
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
BUGS = json.loads((ROOT / 'tests/planted/bugs.json').read_text())
PARTS = ('latentmem', 'launch', 'configs', 'tests', 'notebooks', 'docs')


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
  """A tree that may be spoilt."""
  there = tmp_path_factory.mktemp('planted')
  for part in PARTS:
    shutil.copytree(ROOT / part, there / part, ignore=shutil.ignore_patterns('__pycache__', '*.tmp'))
  for name in ('pyproject.toml', 'setup.py', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, there / name)
  return there


def outcome(tree: pathlib.Path, test: str) -> int:
  """pytest's exit code."""
  command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', '-n', '0', test]
  return subprocess.run(command, cwd=tree, env=os.environ | dict(PYTHONPATH=str(tree)), capture_output=True).returncode


@pytest.mark.parametrize('bug', BUGS, ids=lambda bug: f'{pathlib.Path(bug["file"]).stem}: {bug["wrong"][:40]}')
def test_what_is_planted_stands_in_the_code(bug):
  assert bug['right'] in (ROOT / bug['file']).read_text(), 'The code has moved on; plant the bug anew.'
  assert (ROOT / bug['test'].split('::')[0]).exists()
  # What is no Python would turn any test red.
  ast.parse((ROOT / bug['file']).read_text().replace(bug['right'], bug['wrong'], 1))


@pytest.mark.slow
@pytest.mark.parametrize('bug', BUGS, ids=lambda bug: f'{pathlib.Path(bug["file"]).stem}: {bug["wrong"][:40]}')
def test_every_planted_bug_turns_its_test_red(bug, copy):
  file = copy / bug['file']
  right = file.read_text()
  file.write_text(right.replace(bug['right'], bug['wrong'], 1))
  try:
    # 2 is a module that no longer loads, as where a name it imports is gone; 4 and 5 a test that is not there.
    assert outcome(copy, bug['test']) in (1, 2)
  finally:
    file.write_text(right)
