"""What training costs: time, tokens a second, operations, memory."""

import resource
import sys
import time

import jax

from latentmem.base import arrays


class Clock:
  """Seconds of training, leaving out what is done between steps (evaluating, saving).

  `seconds` counts compiling; `tokens_per_s` is over the steps since it was last asked, and leaves the first step out.
  """

  def __init__(self, seconds: float = 0.0):
    """`seconds` of training that were spent before."""
    self._before, self._since, self._lap = seconds, None, None

  def go(self) -> None:
    """Training goes on."""
    if self._since is None:
      self._since = time.perf_counter()

  def stop(self) -> None:
    """Something else is done, which is not training."""
    if self._since is not None:
      self._before, self._since = self.seconds, None

  @property
  def seconds(self) -> float:
    return self._before + (time.perf_counter() - self._since if self._since is not None else 0)

  def rate(self, tokens: int) -> float | None:
    """Tokens a second since the last call, `tokens` having been read in all; None at the first call."""
    now = (self.seconds, tokens)
    last, self._lap = self._lap, now
    return (now[1] - last[1]) / max(now[0] - last[0], 1e-9) if last else None


def peak_memory(devices=None) -> dict:
  """Highest bytes in use so far: of this process on the host, and of the fullest device where it tells."""
  # Linux counts in KiB, macOS in bytes.
  unit = 1 if sys.platform == 'darwin' else 1024
  host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
  stats = [d.memory_stats() or {} for d in devices or jax.local_devices()]
  device = max((s.get('peak_bytes_in_use', 0) for s in stats), default=0)
  return dict(host=host, device=device or None)


def sizes(state, rows: int) -> dict:
  """Parameters (numbers), and bytes of state that one row carries."""
  return dict(parameters=arrays.count_of(state.params), state_bytes=arrays.bytes_of(state.carry) // rows)
