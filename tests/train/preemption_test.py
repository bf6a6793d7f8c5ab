"""SIGTERM is noted in training, and ends the process at once outside of it."""

import os
import signal

import pytest

from latentmem.train.preemption import Preemption


def test_it_is_noted_in_training():
  with Preemption() as preemption, preemption.guarded():
    assert not preemption.asked(1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert preemption.asked(2)


def test_outside_of_training_it_exits_0():
  with Preemption(), pytest.raises(SystemExit) as left:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigtimedwait([], 1)
  assert not left.value.code


def test_the_handler_that_was_there_comes_back():
  before = signal.getsignal(signal.SIGTERM)
  with Preemption():
    assert signal.getsignal(signal.SIGTERM) != before
  assert signal.getsignal(signal.SIGTERM) == before
