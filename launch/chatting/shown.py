"""Text on a terminal, each token on the shade of its surprise: the model's own bits, -log2 of its probability."""

from collections.abc import Mapping
import os
from typing import TextIO

# Shades of xterm's 256 colours, from what was expected to what was not, and the bits from which each is taken.
SHADES = ((1.0, 194), (2.0, 157), (3.0, 229), (4.5, 222), (6.0, 216), (8.0, 210))
SHADED, PLAIN = '\x1b[38;5;16;48;5;{}m', '\x1b[0m'


def can_shade(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
  """Whether what is written there is seen in colours."""
  return stream.isatty() and environment.get('TERM', 'dumb') != 'dumb' and not environment.get('NO_COLOR')


def shaded(text: str, bits: float) -> str:
  """A token's text on its shade; what was expected to within a bit, or follows nothing, has none."""
  shade = max((pair for pair in SHADES if bits >= pair[0]), default=None)
  if shade is None or not text:
    return text
  # A shade that crosses a line's end would colour the rest of the line.
  return '\n'.join(f'{SHADED.format(shade[1])}{line}{PLAIN}' if line else '' for line in text.split('\n'))


def numbers(texts: list[str], bits: list[float]) -> str:
  """Every token with its bits, '-' for one that follows nothing."""
  number = lambda bit: f'{bit:.1f}' if bit == bit else '-'
  return '  '.join(f'{text!r} {number(bit)}' for text, bit in zip(texts, bits, strict=True))


def mean(bits: list[float]) -> str:
  """'3.2 bits a token', of those that were surprised."""
  known = [bit for bit in bits if bit == bit]
  return f'{sum(known) / len(known):.2f} bits a token' if known else 'nothing'
