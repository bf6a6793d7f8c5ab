"""Progress is a bar on a terminal, and lines elsewhere."""

import io
import time

from latentmem.train import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_lines_tell_step_bits_rate_and_time_left():
  stream = io.StringIO()
  with progress.Progress(4, stream=stream, every=0.0) as shown:
    for step in range(1, 5):
      shown(step, 2.0, 1234.0)
  lines = stream.getvalue().splitlines()
  assert len(lines) == 4 and lines[0] == 'step 1/4, 2.000 bits/byte, 1,234 tokens/s'
  assert lines[1] == 'step 2/4, 2.000 bits/byte, 1,234 tokens/s, 0:00 left'


def test_lines_come_now_and_then_and_at_the_end():
  stream = io.StringIO()
  with progress.Progress(100, stream=stream, every=1000.0) as shown:
    shown._told = time.monotonic()
    for step in range(1, 101):
      shown(step, None, None)
  assert [line.split(',')[0] for line in stream.getvalue().splitlines()] == ['step 100/100']


def test_a_terminal_gets_a_bar():
  stream = Terminal()
  with progress.Progress(4, first=1, stream=stream) as shown:
    shown(2, 2.0, 1234.0)
    shown.say('Saved.')
    shown(4, 2.0, 1234.0)
  assert '4/4' in stream.getvalue() and '2.000 bits/byte, 1,234 tokens/s' in stream.getvalue()
  assert 'Saved.' in stream.getvalue()


def test_other_processes_are_silent():
  stream = io.StringIO()
  with progress.Progress(1, show=False, stream=stream) as shown:
    shown(1, 2.0, None)
    shown.say('Saved.')
  assert stream.getvalue() == ''
