"""A conversation: turns, and the commands inside it."""

from collections.abc import Callable
import pathlib
import re

import numpy as np

from latentmem.bank import format as bank_format
from latentmem.base import records
from latentmem.base.errors import check_known, InputError
from latentmem.session import sample, text
from launch.chatting import keeping
from launch.voices import Voice

# What stands for the model's answer where a template is asked what follows one.
ANSWER = 'What the model said.'


class Talk:
  """One conversation.

  Attributes:
    voice: Who answers.
    keep: Where it is kept.
    tokens, bits: Those of the last turn, and their surprise, by their places.
    thought: The trajectories of the last thinking.
  """

  def __init__(self, voice: Voice, kept: keeping.Nowhere, length: int, sampler: sample.Sampler, seed: int,
               stopped: Callable[[], bool] = lambda: False):
    """`length` tokens an answer at most; an answer also ends where `stopped` says so, which is asked at every token."""
    self.voice, self.kept, self.length, self.sampler, self.seed = voice, kept, length, sampler, seed
    self._stopped = stopped
    self.bits: dict[int, float] = {}
    self.tokens: dict[int, int] = {}
    self.thought: dict = {}
    self.voice.live.listener = self._hear

  def turn(self, said: str, show: Callable[[str, float], None]) -> tuple[int, int]:
    """Feeds what a person said and generates the answer, and keeps the talk -> where the turn and the answer begin.

    `show` is called with every token's text, as soon as it is there, and its bits. What was said is kept even where the
    answer is stopped at once.
    """
    live, coder = self.voice.live, self.voice.coder
    self.bits, self.tokens = {}, {}
    live.mark()
    begun = live.position
    try:
      fed = self._fed(said)
      self.tokens |= {begun + i: int(token) for i, token in enumerate(fed)}
      live.feed(fed)
      answer, stream = live.position, text.Streamer(coder.decode)
      if not self._stopped():
        for token in live.generate(self.length, self.sampler, self.seed, self.voice.stops):
          show(stream.push(token), self.bits[live.position - 1])
          if self._stopped():
            break
      show(stream.end(), 0.0)
    finally:
      self.kept.keep(live)
    return begun, answer

  def command(self, line: str) -> str | None:
    """Does what '/name argument' says -> what came of it; None to quit.

    Raises InputError for an unknown command, naming the nearest, and for what cannot be done.
    """
    name, _, argument = line[1:].strip().partition(' ')
    check_known(name, COMMANDS, 'The chat', 'command')
    call, takes = COMMANDS[name]
    argument = argument.strip()
    if (argument and not takes) or (takes == 2 and not argument):
      raise InputError(f'/{name} takes {"nothing behind it" if not takes else "a name"}, not {argument!r}.')
    return call(self, *[argument] * bool(takes))

  def _hear(self, first: int, tokens: np.ndarray, bits: np.ndarray) -> None:
    places = range(first, first + len(tokens))
    self.bits |= dict(zip(places, bits.tolist(), strict=True))
    self.tokens |= dict(zip(places, tokens.tolist(), strict=True))

  def _fed(self, said: str) -> np.ndarray:
    """What a person said, as the model reads it behind all that was there."""
    live, template = self.voice.live, self.voice.template
    if template is None:
      return np.asarray(self.voice.coder.encode(said + '\n' if said or not live.position else ''), np.int32)
    turns = [dict(role='user', content=said)]
    if not live.position:
      return np.asarray(self.voice.coder.encode(template.text(turns)))
    whole = template.text([dict(role='user', content='.'), dict(role='assistant', content=ANSWER), *turns])
    tokens = np.asarray(self.voice.coder.encode(whole.rpartition(ANSWER)[2]))
    # An answer that the model ended holds the token that ends it already.
    return tokens[1:] if live.last in self.voice.stops and tokens[0] == live.last else tokens

  def told(self, places) -> tuple[list[str], list[float]]:
    """The text and the surprise of tokens of the last turn; the first token of a talk has NaN bits."""
    places = [place for place in places if place in self.tokens]
    return ([self.voice.coder.decode([self.tokens[place]]) for place in places],
            [self.bits.get(place, float('nan')) for place in places])

  def _save(self, path):
    if not path and isinstance(self.kept, (keeping.File, keeping.Object)):
      self.kept.keep(self.voice.live)
      return f'kept as {self.kept}'
    if not path:
      raise InputError('Nothing says where to save; /save FILE does, or start with --state=FILE.')
    place = keeping.File(path)
    if place.path.exists():
      # Only what a session wrote makes way.
      bank_format.read(place.path)
    place.keep(self.voice.live)
    return f'saved to {path}'

  def _rewind(self):
    position = self.voice.live.rewind()
    self.kept.keep(self.voice.live)
    return f'back before the last turn, at token {position:,}'

  def _fork(self, name):
    return f'a copy is kept as {self.kept.fork(self.voice.live, name)}; the talk goes on here'

  def _think(self, steps):
    if steps and not re.fullmatch('[0-9]{1,4}', steps):
      raise InputError(f'/think takes a number of steps, not {steps!r}.')
    self.thought = self.voice.live.think(int(steps) if steps else None)
    self.kept.keep(self.voice.live)
    return '\n'.join(f'{name}: {said(told["slots"])}' for name, told in self.thought.items())

  def _draw(self, path):
    from latentmem.study import figures, trajectory
    if not self.thought:
      raise InputError('Nothing was thought yet; /think, and then /draw FILE.png.')
    place = pathlib.Path(path)
    if place.suffix != '.png' or place.exists():
      raise InputError(f'{path!r} is there already, or does not end in .png; /draw takes the name of a new file.')
    *_, told = self.thought.values()
    try:
      figure = trajectory.draw(trajectory.of_one(told, layer=-1))
      records.write_whole(place, figures.png(figure))
    except (figures.Absent, OSError) as error:
      raise InputError(f'{path} cannot be drawn: {error}') from error
    return f'what the last layer thought about the last token is drawn in {path}'

  def state(self) -> str:
    """What there is, in a line."""
    live = self.voice.live
    return f'{live.position:,} tokens in a state of {live.bytes:,} bytes, kept {self.kept}'


def said(slots) -> str:
  """How far each step of a trajectory moved the slots [L, S + 1, B, N, M]: root mean squares over all of them."""
  moved = np.sqrt(np.mean(np.square(np.diff(np.asarray(slots, np.float64), axis=1)), axis=(0, 2, 3, 4)))
  return f'{len(moved)} steps, which moved the slots by {", ".join(f"{each:.3g}" for each in moved)}'


# What is called, and whether it takes nothing (0), perhaps a word (1), or a word (2).
COMMANDS = dict(save=(Talk._save, 1), rewind=(Talk._rewind, 0), fork=(Talk._fork, 2), think=(Talk._think, 1),
                draw=(Talk._draw, 2), state=(Talk.state, 0), quit=(lambda talk: None, 0))
