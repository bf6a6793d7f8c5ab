"""Ctrl-C and SIGTERM in a conversation: a turn that has begun is finished and kept, then one is heard.

Ctrl-C ends an answer, and at the prompt the talk; SIGTERM ends the answer and the talk.
"""

import signal


class Leave(Exception):
  """Somebody wants to leave, and nothing is being done."""


class Signals:
  """Hears both while used as a context."""

  def __init__(self):
    self._heard, self._waiting = None, False

  def __enter__(self):
    self._old = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
    return self

  def __exit__(self, *_):
    for number, old in self._old.items():
      signal.signal(number, old)

  def _hear(self, number, _):
    # What ends the talk is not forgotten for what ends an answer.
    self._heard = self._heard if self._heard == signal.SIGTERM else number
    if self._waiting:
      raise Leave

  def stopped(self) -> bool:
    """Whether the answer is to end here."""
    return self._heard is not None

  def listen(self, ask):
    """What `ask()` returns, which may wait for ever. Raises Leave where somebody wants to leave."""
    if self._heard == signal.SIGTERM:
      raise Leave
    self._heard, self._waiting = None, True
    try:
      return ask()
    finally:
      self._waiting = False
