"""Many live sequences in one compiled step: rows that join, read, generate and leave, each at its own place.

    batch = Batch(net, params, rows=64)
    batch.join('ann')                                  # fresh; or as a Session that is there already
    batch.feed('ann', question)
    batch.generate('ann', 100, sampler, seed=0)
    for said in batch.run(): ...                       # {'ann': [tokens], ...}, until nobody wants any more
    batch.leave('ann').save('ann.safetensors')         # a Session again, which may come back

Two programs do it all, whoever comes and goes: one reads a piece of P tokens in every row, one a token in every row,
and both draw on the device. A row that has nothing to do is masked, and its state stays as it is. Tokens are read in
the pieces in which a `Session` reads them, and drawn by the same keys, so a row says what its session alone would say:
the numbers are equal but for the rounding of sums, whose order a compiler chooses by the number of rows.

R rows, P tokens in a piece, S tokens that end an answer, V vocabulary.
"""

from collections.abc import Collection, Iterator
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base import arrays, compiling
from latentmem.base.errors import hint, InputError
from latentmem.session import sample, session
from latentmem.session.layout import Layout
from latentmem.session.session import Session

# S, and the length of an answer without end.
STOPS, ENDLESS = 16, 2**31 - 1
NO_KEY = np.zeros(2, np.uint32)


@dataclasses.dataclass
class _Row:
  """A sequence's place, and what it wants."""

  place: int
  unread: np.ndarray
  position: int
  left: int = 0
  sampler: sample.Sampler = sample.GREEDY
  key: np.ndarray = dataclasses.field(default_factory=lambda: NO_KEY)
  stops: tuple[int, ...] = ()


class Batch:
  """A fixed number of rows.

  Attributes:
    model, params: As `Session` takes them.
    rows: R.
    piece: P. Every row pays for a piece that any row reads, so it is shorter than a session's alone.
    ahead: Tokens of each row that one `step` generates at most: the host looks at them after so many.
  """

  def __init__(self, model, params, rows: int, piece: int = 64, ahead: int = 8):
    if rows < 1 or ahead < 1:
      raise InputError(f'A batch has at least 1 row, and looks 1 token ahead; it got rows={rows}, ahead={ahead}.')
    self.model, self.params, self.rows, self.piece, self.ahead = model, params, rows, piece, ahead
    self._fresh = Session(model, params, piece)
    self._layout = Layout(model, params)
    self._rows: dict[str, _Row] = {}
    jit = functools.partial(jax.jit, compiler_options=compiling.options(params))
    start = lambda params: self._layout.apart(model.apply(params, rows, method='init_state'))
    self._parts = jit(start)(params)
    self._put, self._take = jit(self._layout.put, donate_argnums=0), jit(self._layout.take)
    self._read = jit(functools.partial(_read, model, self._layout), donate_argnums=1)
    self._one = jit(functools.partial(_one, model, self._layout), donate_argnums=1)

  @property
  def names(self) -> list[str]:
    """Of the sessions that are there."""
    return list(self._rows)

  @property
  def bytes_per_row(self) -> int:
    """What one sequence takes, however long it is."""
    return arrays.bytes_of(self._parts) // self.rows

  def join(self, name: str, live: Session | None = None) -> None:
    """Takes in a sequence: a fresh one, or a copy of a session as it stands.

    Raises InputError where the name is taken, where all rows are, and where the session is another model's.
    """
    if name in self._rows:
      raise InputError(f'There is a session {name!r} already; choose another name, or let that one leave first.')
    if len(self._rows) == self.rows:
      raise InputError(f'All {self.rows} rows are taken; let a session leave before {name!r} joins, or take more rows.')
    live = self._fresh if live is None else live
    own = live.params is self.params and live.model == self.model
    if not own and live.identity.fingerprint != self._fresh.identity.fingerprint:
      raise InputError(f'The session {name!r} is of another model, or other parameters; it goes on only with its own.')
    free = min(set(range(self.rows)) - {row.place for row in self._rows.values()})
    self._parts = self._put(self._parts, live._carry, free)
    self._rows[name] = _Row(free, live._unread, live.position)

  def fork(self, name: str) -> Session:
    """A session that goes on by itself from where a row stands. Raises InputError for a name that is not there."""
    row, live = self._row(name), self._fresh.fork()
    live._carry = self._take(self._parts, row.place)
    live._unread, live.position = row.unread, row.position
    return live

  def leave(self, name: str) -> Session:
    """The same, and its row is free. What it still wanted is dropped."""
    live = self.fork(name)
    self._rows.pop(name)
    return live

  def feed(self, name: str, tokens) -> None:
    """Gives a sequence tokens [T], which the next steps read. Raises InputError as `Session.feed` does."""
    row, tokens = self._row(name), session.checked(tokens, self.model.vocab)
    row.unread = np.concatenate([row.unread, tokens])
    row.position += len(tokens)

  def generate(self, name: str, length: int | None = None, sampler: sample.Sampler = sample.GREEDY, seed: int = 0,
               stops: Collection[int] = ()) -> None:
    """Has the next steps generate, in the place of what was wanted before; arguments are those of `Session.generate`.

    Raises InputError where nothing was fed, and for more than STOPS stops.
    """
    row = self._row(name)
    if not len(row.unread):
      raise InputError(f'Nothing was fed to the session {name!r}; it takes at least one token to go on from.')
    if len(stops) > STOPS:
      raise InputError(f'An answer ends at {STOPS} tokens at most, not at any of {len(stops)}.')
    row.left, row.sampler, row.stops = ENDLESS if length is None else max(0, length), sampler, tuple(stops)
    row.key = np.asarray(jax.random.key_data(jax.random.key(seed)))

  @property
  def busy(self) -> bool:
    """Whether a step would do anything."""
    return any(row.left or len(row.unread) > self.piece for row in self._rows.values())

  def run(self) -> Iterator[dict[str, list[int]]]:
    """Steps, until nobody wants anything. Between them, sessions may join, be fed, and leave."""
    while self.busy:
      yield self.step()

  def step(self) -> dict[str, list[int]]:
    """Reads a piece where tokens wait, and generates up to `ahead` tokens where they are wanted -> those, by name."""
    said = {name: [] for name, row in self._rows.items() if row.left}
    reading = {name: row for name, row in self._rows.items()
               if len(row.unread) > self.piece or (row.left and len(row.unread) > 1)}
    if reading:
      self._read_piece(reading, said)
    saying = {name: row for name, row in self._rows.items() if row.left and len(row.unread) == 1}
    if saying:
      self._say(saying, said)
    return said

  def _read_piece(self, reading: dict[str, _Row], said: dict[str, list[int]]) -> None:
    tokens_RP, count_R = np.zeros((self.rows, self.piece), np.int32), np.zeros(self.rows, np.int32)
    for row in reading.values():
      now = row.unread[:self.piece]
      tokens_RP[row.place, :len(now)], count_R[row.place] = now, len(now)
    draws = {name: row for name, row in reading.items() if len(row.unread) <= self.piece}
    self._parts, token_R = self._read(self.params, self._parts, tokens_RP, count_R, self._column('position'),
                                      self._settings())
    for row in reading.values():
      row.unread = row.unread[self.piece:]
    token_R = np.asarray(token_R) if draws else None
    for name, row in draws.items():
      self._took(row, [int(token_R[row.place])], said[name])

  def _say(self, saying: dict[str, _Row], said: dict[str, list[int]]) -> None:
    left_R, last_R = np.zeros(self.rows, np.int32), np.zeros(self.rows, np.int32)
    stops_RS = np.full((self.rows, STOPS), -1, np.int32)
    for row in saying.values():
      left_R[row.place], last_R[row.place], stops_RS[row.place, :len(row.stops)] = row.left, row.unread[0], row.stops
    count = int(min(self.ahead, left_R.max()))
    loop, settings, told = tuple(map(jnp.asarray, (last_R, self._column('position'), left_R))), self._settings(), []
    # Nothing is looked at before all are on their way.
    for _ in range(count):
      self._parts, loop, token_R = self._one(self.params, self._parts, loop, stops_RS, settings)
      told.append(token_R)
    told_TR = np.asarray(jnp.stack(told))
    for name, row in saying.items():
      tokens = told_TR[:, row.place]
      self._took(row, tokens[tokens >= 0].tolist(), said[name])

  def _took(self, row: _Row, tokens: list[int], said: list[int]) -> None:
    """Notes what a row has drawn."""
    row.unread, row.position = np.array(tokens[-1:], np.int32), row.position + len(tokens)
    ends = tokens[-1] in row.stops
    row.left = 0 if ends else row.left if row.left == ENDLESS else row.left - len(tokens)
    said += tokens[:-1] if ends else tokens

  def _row(self, name: str) -> _Row:
    if name not in self._rows:
      raise InputError(f'There is no session {name!r} in the batch{hint(str(name), self._rows)}; there are '
                       f'{self.names[:10]}{", ..." if len(self._rows) > 10 else ""}.')
    return self._rows[name]

  def _column(self, what: str, otherwise=0) -> list | np.ndarray:
    """One thing of every row, in the order of their places."""
    column = [otherwise] * self.rows
    for row in self._rows.values():
      column[row.place] = getattr(row, what)
    return np.array(column, np.int32) if isinstance(otherwise, int) else column

  def _settings(self) -> sample.Settings:
    return sample.settings(self._column('sampler', sample.GREEDY), self._column('key', NO_KEY))


def _read(model, layout, params, parts, tokens_RP, count_R, position_R, settings):
  """Reads the first `count` tokens of each row -> parts, and what each row draws after them."""
  mask_RP = jnp.arange(tokens_RP.shape[1]) < count_R[:, None]
  carry, logits_RV = model.apply(params, layout.whole(parts), tokens_RP, mask_RP, method='last')
  return layout.apart(carry), settings(position_R, logits_RV)


def _one(model, layout, params, parts, loop, stops_RS, settings):
  """Reads a token in each row that has some left to say -> parts, loop, what each has drawn, -1 where nothing.

  loop: the last token, the position, and how many tokens are left, of each row.
  """
  last_R, position_R, left_R = loop
  going_R = left_R > 0
  carry, logits_RV = model.apply(params, layout.whole(parts), last_R[:, None], going_R[:, None], method='last')
  token_R = settings(position_R, logits_RV)
  ends_R = jnp.any(token_R[:, None] == stops_RS, -1)
  left_R = jnp.where(going_R, jnp.where(ends_R, 0, left_R - 1), 0)
  loop = jnp.where(going_R, token_R, last_R), position_R + going_R, left_R
  return layout.apart(carry), loop, jnp.where(going_R, token_R, -1)
