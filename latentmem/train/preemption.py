"""Leaving when asked to: SIGTERM ends training at the next step, with a checkpoint, and the process exits 0."""

import signal
import sys

import jax


class Preemption:
  """Hears SIGTERM while used as a context.

  Within `guarded` (training) the signal is only noted, for the loop to ask `asked(step)` after every step. Outside
  there is nothing to save, and the process exits 0 at once.
  """

  def __init__(self):
    self._heard = False
    self._guarding = False

  def __enter__(self):
    # With jax.distributed, JAX hears the signal and the processes agree on a step.
    self._old = None if jax.distributed.is_initialized() else signal.signal(signal.SIGTERM, self._hear)
    return self

  def __exit__(self, *_):
    if self._old is not None:
      signal.signal(signal.SIGTERM, self._old)

  def _hear(self, *_):
    self._heard = True
    if not self._guarding:
      sys.exit(0)

  def guarded(self):
    """A context in which the signal is noted and nothing more."""
    return _Guard(self)

  def asked(self, step: int) -> bool:
    """Whether to leave after `step`; the same answer in every process."""
    if jax.distributed.is_initialized():
      from jax.experimental import multihost_utils
      return multihost_utils.reached_preemption_sync_point(step)
    return self._heard


class _Guard:

  def __init__(self, preemption):
    self._preemption = preemption

  def __enter__(self):
    self._preemption._guarding = True

  def __exit__(self, *_):
    self._preemption._guarding = False
