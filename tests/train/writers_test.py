"""Measurements reach metrics.jsonl always, and other writers where they are asked for and installed."""

import builtins

import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import writers


@pytest.fixture
def run(tmp_path):
  return records.create(tmp_path / 'run', {})


def without(monkeypatch, package):
  real = builtins.__import__
  def refuse(name, *args, **kwargs):
    if name == package:
      raise ImportError(name)
    return real(name, *args, **kwargs)
  monkeypatch.setattr(builtins, '__import__', refuse)


@pytest.mark.parametrize('package, asked', [('tensorboardX', dict(tensorboard=True)), ('wandb', dict(wandb='project'))])
def test_a_missing_package_is_named_with_what_would_do(run, monkeypatch, package, asked):
  without(monkeypatch, package)
  with pytest.raises(InputError, match=rf'needs {package}, which is not installed.*\[logging\]'):
    writers.Measurements(run, **asked)


def test_tensorboard_gets_what_is_measured(run):
  pytest.importorskip('tensorboardX')
  write = writers.Measurements(run, tensorboard=True)
  write(1, 'heldout', by_position={'0-512': 2.0}, gates=[[0.5]], broken=float('nan'))
  write.close()
  assert list((run.path / 'tensorboard').iterdir()) and run.metrics()[0]['broken'] is None


def test_only_the_first_process_writes(run):
  writers.Measurements(run, write=False)(1, 'train', loss=1.0)
  assert run.metrics() == []


def test_nested_numbers_get_names():
  assert dict(writers.flatten(dict(a=1, b=dict(c=[2.0, None])), 'train')) == {'train/a': 1.0, 'train/b/c/0': 2.0}
