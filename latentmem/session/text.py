"""Tokens to text as they come: no character before all of it is there, and none twice."""

from collections.abc import Callable, Iterable, Iterator, Sequence

# What stands for bytes that are no text, also for the first bytes of a character: three at most.
FAILED, UNFINISHED = '\ufffd', 3
# Tokens kept while no text comes of them; beyond it they are taken for what they are.
MOST = 64


def streamed(tokens: Iterable[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
  """The text of tokens, a string for each of them and one for the end."""
  stream = Streamer(decode)
  for token in tokens:
    yield stream.push(token)
  yield stream.end()


class Streamer:
  """Decodes a stream: `push` each token, `end` for what is left. Remembers few tokens, however long the stream."""

  def __init__(self, decode: Callable[[Sequence[int]], str]):
    """`decode` turns ids to text and puts U+FFFD where they are no valid text, also at an unfinished end."""
    self._decode = decode
    # Tokens of text already told are decoded again with the new: some tokenizers drop a space that opens a text.
    self._before, self._held, self._told = [], [], 0

  def push(self, token: int) -> str:
    """Takes one token -> the text that it completes, often ''."""
    self._held.append(token)
    text = self._text()
    unfinished = min(UNFINISHED, len(text) - len(text.rstrip(FAILED)))
    if (text and not unfinished) or len(self._held) >= MOST:
      return self.end()
    fresh = text[self._told:len(text) - unfinished]
    self._told += len(fresh)
    return fresh

  def end(self) -> str:
    """The text that was held back, as it is."""
    fresh = self._text()[self._told:]
    self._before, self._held, self._told = self._held, [], 0
    return fresh

  def _text(self) -> str:
    """The text of the tokens held."""
    before = self._decode(self._before) if self._before else ''
    return self._decode(self._before + self._held)[len(before):]
