"""How far a run has come, for the person who waits: a bar on a terminal, a line now and then anywhere else."""

import sys
import time


class Progress:
  """Shows steps, bits, tokens a second and the time left on `stream`. Use as a context."""

  def __init__(self, steps: int, first: int = 0, unit: str = 'bits/byte', show: bool = True, stream=None,
               every: float = 10.0):
    """`first` steps were made before; a line comes every `every` seconds."""
    self.steps, self.first, self.unit, self.show = steps, first, unit, show
    self.stream, self.every = stream or sys.stderr, every
    self._bar, self._told, self._second, self._mean = None, 0.0, None, None

  def __enter__(self):
    if self.show and self.stream.isatty():
      import tqdm
      self._bar = tqdm.tqdm(total=self.steps, initial=self.first, file=self.stream, unit='step', dynamic_ncols=True)
    return self

  def __exit__(self, *_):
    if self._bar is not None:
      self._bar.close()

  def __call__(self, step: int, bits: float | None, tokens_per_s: float | None) -> None:
    """Step `step` (from 1) has ended."""
    if bits is not None:
      self._mean = bits if self._mean is None else 0.9 * self._mean + 0.1 * bits
    if not self.show:
      return
    shown = f'{self._mean:.3f} {self.unit}' if self._mean is not None else ''
    rate = f'{tokens_per_s:,.0f} tokens/s' if tokens_per_s else ''
    if self._bar is not None:
      self._bar.update(step - self._bar.n)
      self._bar.set_postfix_str(', '.join(filter(None, (shown, rate))), refresh=False)
    elif time.monotonic() - self._told > self.every or step == self.steps:
      self._told = time.monotonic()
      self.say(', '.join(filter(None, (f'step {step}/{self.steps}', shown, rate, self._left(step)))))

  def say(self, text: str) -> None:
    """A line of text, above the bar where there is one."""
    if self.show:
      if self._bar is not None:
        self._bar.write(text, file=self.stream)
      else:
        print(text, file=self.stream, flush=True)

  def _left(self, step: int) -> str:
    # The first step compiles, and tells nothing of those that follow.
    if self._second is None:
      self._second = step, time.monotonic()
      return ''
    since, began = self._second
    seconds = (time.monotonic() - began) / max(step - since, 1) * (self.steps - step)
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes}:{seconds:02d} left'


