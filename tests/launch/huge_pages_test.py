"""A launcher starts over with large pages once, and only where it was run by its name."""

import os
import subprocess
import sys

import pytest

from launch import huge_pages

COMMAND = ['python', '-m', 'launch.train', '--config=a.py']


@pytest.fixture
def started(monkeypatch):
  """What was started over, and in what environment."""
  calls = []
  monkeypatch.setattr(os, 'execv', lambda *args: calls.append((*args, os.environ[huge_pages.TUNABLES])))
  monkeypatch.setattr(sys, 'orig_argv', COMMAND)
  monkeypatch.setattr(sys, 'argv', ['-m'])
  monkeypatch.setattr(sys, 'platform', 'linux')
  monkeypatch.delenv(huge_pages.TUNABLES, raising=False)
  return calls


def test_a_launcher_starts_over_with_large_pages(started):
  huge_pages.ask()
  assert started == [(sys.executable, [sys.executable, *COMMAND[1:]], 'glibc.malloc.hugetlb=1')]


def test_what_is_set_stays(started, monkeypatch):
  monkeypatch.setenv(huge_pages.TUNABLES, 'glibc.malloc.check=1')
  huge_pages.ask()
  assert not started


@pytest.mark.parametrize('name, value', [('argv', ['train.py']), ('platform', 'darwin')])
def test_others_are_left_alone(started, monkeypatch, name, value):
  monkeypatch.setattr(sys, name, value)
  huge_pages.ask()
  assert not started


@pytest.mark.skipif(sys.platform != 'linux', reason='large pages are asked for on Linux alone')
def test_the_command_keeps_its_arguments_and_its_exit_code():
  env = {name: value for name, value in os.environ.items() if name != huge_pages.TUNABLES}
  command = [sys.executable, '-m', 'launch.bench', '--suite=memry']
  done = subprocess.run(command, env=env, capture_output=True, text=True)
  assert done.returncode == 2 and "'memry'" in done.stderr
