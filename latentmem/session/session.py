"""A live sequence: a model, its parameters, and all that persists between tokens.

    live = Session(net, params)
    live.feed(document)                              # of any length, in pieces of one size, in constant memory
    for token in live.generate(100, seed=0): ...     # one after another, in constant memory
    answer = list(live.ask(question, 20, keep=False))            # and stands where it stood
    here = live.mark(); live.feed(more); live.rewind(here)       # back to the last bit
    live.save('state.safetensors')                   # another process goes on from here
    live.put(bank, 'alice')                          # or any number of them, from a bank

The last tokens, at most a piece, wait unread until more tokens or a question come. So pieces begin at the same places
however the tokens were handed over, and feeding in parts, or through a file, gives the same numbers to the last bit.
B rows (one), P tokens in a piece, T tokens, S tokens that were read or follow one that was, V vocabulary.
"""

from collections.abc import Callable, Collection, Iterator
import copy
import functools
import itertools
import os

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.bank import format as bank_format
from latentmem.bank import header, store
from latentmem.base import arrays, compiling
from latentmem.base.errors import InputError
from latentmem.model import reasoning
from latentmem.session import sample
from latentmem.session import state as states

# Marks that are kept; each takes what the state takes.
MARKS = 8


class Session:
  """One live sequence.

  Attributes:
    model: As `latentmem.model` makes them.
    params: What `model.apply` takes first.
    piece: P, tokens read at once. A multiple of the memory's chunk is fastest.
    position: Tokens given so far, fed or generated.
    listener: Called with (first, tokens, bits) as soon as the surprise of some tokens is known: the place of the first
      of them in the sequence, int32 [T], and -log2 of the probability that the model gave to each, float32 [T]. A token
      is told once: a generated one when it is drawn, a fed one when the one before it is read, so that up to a piece
      of them waits; `catch_up` reads on. The first of a sequence follows nothing, and is never told. None: nobody
      listens, and nothing is computed for it.
  """

  listener: Callable[[int, np.ndarray, np.ndarray], None] | None = None

  def __init__(self, model, params, piece: int = 512):
    if piece < 1:
      raise InputError(f'piece is {piece}; it must be a number of tokens, 1 or more.')
    self.model, self.params, self.piece, self.position = model, params, piece, 0
    self._carry = jax.jit(lambda params: model.apply(params, 1, method='init_state'))(params)
    self._unread = np.zeros(0, np.int32)
    self._marks = {}
    options = compiling.options(params)
    program = lambda step, **how: jax.jit(functools.partial(step, model), donate_argnums=1, compiler_options=options,
                                          **how)
    self._advance, self._answer, self._hear = program(_advance), program(_answer), program(_hear)
    static = ('start', 'steps', 'write_back')
    self._think, self._replay = (jax.jit(functools.partial(call, model), static_argnames=names) for call, names in (
        (reasoning.think, static[1:]), (reasoning.replay, static)))

  def feed(self, tokens) -> None:
    """Takes tokens [T] and reads all but the last piece of them.

    Raises InputError for numbers that are not in the vocabulary.
    """
    tokens = checked(tokens, self.model.vocab)
    self.position += len(tokens)
    self._unread = np.concatenate([self._unread, tokens])
    # A whole piece waits too: there must be a token left to read when the next one is asked for.
    while len(self._unread) > self.piece:
      self._read_piece()

  def catch_up(self) -> None:
    """Reads all that waits but the last token: nothing is left to do when an answer is asked for, and all is told.

    Pieces then begin elsewhere than without it: the same numbers, but for rounding.
    """
    if len(self._unread) > 1:
      self._read(len(self._unread) - 1)

  def generate(self, length: int | None = None, sampler: sample.Sampler = sample.GREEDY,
               seed: int = 0, stops: Collection[int] = ()) -> Iterator[int]:
    """Yields `length` tokens (None: without end), each as soon as it is drawn; ends where one of `stops` is drawn.

    That token is not yielded, and is a part of what the session goes on from. A draw depends on the seed, the position
    and the model's answer: a session that stops and goes on draws what it would have drawn without stopping.

    Raises InputError where nothing was fed.
    """
    if not len(self._unread):
      raise InputError('Nothing was fed to the session; it takes at least one token to go on from.')
    return self._tokens(range(length) if length is not None else itertools.count(), sampler, jax.random.key(seed),
                        frozenset(stops))

  def ask(self, tokens, length: int | None = None, sampler: sample.Sampler = sample.GREEDY, seed: int = 0,
          stops: Collection[int] = (), keep: bool = True) -> Iterator[int]:
    """Feeds a question [T] and yields the answer, as `generate` does.

    Args:
      keep: False asks a fork, at the price of another state while it answers: the session never hears of it.
    """
    live = self if keep else self.fork()
    live.listener = self.listener
    live.feed(tokens)
    return live.generate(length, sampler, seed, stops)

  def think(self, steps: int | None = None, about=None, write_back: bool = True) -> dict:
    """Reasons in memory and emits no token: memories that can (see `model.reasoning`) do so in every layer.

    Args:
      steps: After the rewriting; None takes the memory's own number.
      about: Tokens [T] that are thought about, which are not read; what waits is read first, but for the last token.
        None takes those that wait, at most a chunk (what waits before them is read), which are read afterwards, as if
        they came now.
      write_back: Whether what is concluded is written to the memory, step by step.

    Returns:
      The trajectory of each memory that thought, as its `think` records it, by the memory's name; layers lie along the
      first axis of each array.

    Raises InputError where no memory of the model can, naming those that could, and where there is nothing to think
    about.
    """
    most = reasoning.chunk(self.model)
    if about is None:
      if len(self._unread) > most:
        self._read(len(self._unread) - most)
      about = self._unread
    else:
      self.catch_up()
    about = checked(about, self.model.vocab)
    if not len(about):
      raise InputError('There is nothing to think about; feed at least one token, or say what it is about.')
    self._carry, trajectories = self._think(self.params, self._carry, about[None], steps=steps, write_back=write_back)
    return trajectories

  def replay(self, trajectories: dict, start: int = 0, steps: int | None = None, write_back: bool = True) -> dict:
    """What `think` returned again from step `start` on (see `model.reasoning.replay`); the session stays as it is."""
    return self._replay(self.params, trajectories, start=start, steps=steps, write_back=write_back)

  def fork(self) -> 'Session':
    """A second session that goes on from here by itself. It has the same marks, and nobody listens to it."""
    twin = copy.copy(self)
    twin._carry, twin._marks, twin.listener = _copied(self._carry), dict(self._marks), None
    return twin

  def mark(self) -> int:
    """Marks where the session stands -> its position, for `rewind`.

    A mark takes the memory of a state, so the last MARKS are kept, and one at each position. `load`, `restore` and
    `get` forget all.
    """
    self._marks.pop(self.position, None)
    self._marks[self.position] = _copied(self._carry), self._unread
    while len(self._marks) > MARKS:
      self._marks.pop(next(iter(self._marks)))
    return self.position

  def rewind(self, position: int | None = None) -> int:
    """Goes back to a mark, to the last bit -> its position. Marks behind it are forgotten, it stays.

    Args:
      position: Of the mark; None takes the nearest before where the session stands.

    Raises InputError where there is no such mark, naming those that are kept.
    """
    known = sorted(self._marks)
    if position is None:
      position = max((p for p in known if p < self.position), default=None)
    if position not in self._marks:
      where = f'at position {position}' if position is not None else f'before position {self.position}'
      raise InputError(f'The session has no mark {where}; it has marks at {known}, and keeps the last {MARKS}.')
    carry, self._unread = self._marks[position]
    self._carry, self.position = _copied(carry), position
    self._marks = {p: marked for p, marked in self._marks.items() if p <= position}
    return position

  @property
  def last(self) -> int | None:
    """The token given last; None before the first. It always waits."""
    return int(self._unread[-1]) if len(self._unread) else None

  @property
  def bytes(self) -> int:
    """What the state takes, whatever was read: the model's carry, and the tokens that wait."""
    return arrays.bytes_of(self._carry) + self.piece * self._unread.itemsize

  def state(self) -> dict:
    """All that persists, as a plain tree of arrays of its own (see `session.state`): what a bank holds."""
    return states.of(self._carry, self._unread, self.position)

  def restore(self, live, who='The state') -> None:
    """Goes on from what `state` gave, as that tree or as arrays by their names. Whose it is, nobody looks at.

    Raises InputError, calling it `who`, where it does not fit the model; the session then stays as it was.
    """
    self._carry, unread, position = states.read(live, self._carry, self.model.vocab, who)
    self._unread, self.position, self._marks = np.zeros(0, np.int32), position - len(unread), {}
    self.feed(unread)

  def save(self, path: os.PathLike | str) -> None:
    """Writes the live state to a file, whole or not at all.

    Raises InputError where the disk is full or the path cannot be written; what was there stays.
    """
    bank_format.write(path, arrays.named(self.state()), self.identity.notes())

  def load(self, path: os.PathLike | str) -> None:
    """Goes on from a state that `save` wrote.

    Raises InputError where the file is missing, damaged or no session's, or was written by another model; the session
    then stays as it was.
    """
    found, notes = bank_format.read(path)
    self.identity.check(path, notes)
    self.restore(found, path)

  def put(self, bank: store.Bank, name: str, **how) -> int:
    """Puts the live state into a bank, as a version of an object -> its number. `how` goes to the bank's `put`.

    Stored in fewer bits (`storage='int8'`), it goes on from what comes back, not to the last bit.
    """
    return bank.put(name, self.state(), kind=states.KIND, fields=self.identity.fields,
                    fingerprint=self.identity.fingerprint, **how)

  def get(self, bank: store.Bank, name: store.Reference, version: int | None = None) -> header.Header:
    """Goes on from a state that `put` put, the newest version unless one is named -> the bank's header of it.

    Raises InputError where there is none, or where it is damaged, no session's, or another model's; the session then
    stays as it was.
    """
    found, head = states.banked(bank, name, self.identity, version)
    self.restore(found, head)
    return head

  @functools.cached_property
  def identity(self) -> states.Identity:
    """Whose the state is."""
    return states.identity(self.model, self.params)

  def _tokens(self, times, sampler, key, stops):
    for _ in times:
      logits_BV = self._read(len(self._unread))
      token_B = _choose(sampler, key, self.position, logits_BV)
      token, place = int(token_B[0]), self.position
      self._unread = np.array([token], np.int32)
      self.position += 1
      self._tell(place, self._unread, functools.partial(surprise, logits_BV, token_B))
      if token in stops:
        return
      yield token

  def _read_piece(self) -> None:
    """Reads a whole piece of what waits; there is a token behind it."""
    begun, waiting = self.position - len(self._unread), self._unread
    now_BP = waiting[None, :self.piece]
    if self.listener is None:
      self._carry = self._advance(self.params, self._carry, now_BP)
      self._unread = waiting[self.piece:]
      return
    next_P = waiting[1:self.piece + 1]
    self._carry, _, bits_BP = self._hear(self.params, self._carry, now_BP, next_P[None], None)
    self._unread = waiting[self.piece:]
    self._tell(begun + 1, next_P, lambda: bits_BP[0])

  def _read(self, count: int) -> jax.Array:
    """Reads the first `count` tokens of those that wait, a piece at most -> logits [1, V] after the last of them."""
    begun, waiting = self.position - len(self._unread), self._unread
    # One token alone, as in generation, has a program of its own; anything more is padded to a piece.
    padded = lambda tokens: tokens if count == 1 else np.pad(tokens, (0, self.piece - len(tokens)))
    now_BP, next_S = padded(waiting[:count])[None], waiting[1:count + 1]
    if self.listener is None or not len(next_S):
      self._carry, logits_BV = self._answer(self.params, self._carry, now_BP, count)
      self._unread = waiting[count:]
      return logits_BV
    self._carry, logits_BV, bits_BP = self._hear(self.params, self._carry, now_BP, padded(next_S)[None], count)
    self._unread = waiting[count:]
    self._tell(begun + 1, next_S, lambda: bits_BP[0, :len(next_S)])
    return logits_BV

  def _tell(self, first: int, tokens, bits: Callable[[], jax.Array]) -> None:
    if self.listener is not None:
      self.listener(first, tokens.copy(), np.asarray(bits(), np.float32))


def checked(tokens, vocab: int) -> np.ndarray:
  """Tokens [T] as int32. Raises InputError for what is no row of numbers of the vocabulary."""
  tokens = np.asarray(tokens)
  if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in 'iu'):
    raise InputError(f'A session takes a row of token numbers, not {tokens.dtype}{list(tokens.shape)}.')
  if tokens.size and not (0 <= tokens.min() and tokens.max() < vocab):
    raise InputError(f'The tokens reach from {tokens.min()} to {tokens.max()}; the model knows 0 to {vocab - 1}.')
  return tokens.astype(np.int32)


def _copied(carry):
  """The arrays of a carry again: programs take those they are given, and use their memory anew."""
  return jax.tree.map(jnp.copy, carry)


def _advance(model, params, carry, tokens_BP):
  """Reads a whole piece -> carry."""
  return model.apply(params, carry, tokens_BP)[0]


def _answer(model, params, carry, tokens_BT, count):
  """Reads the first `count` tokens -> carry, logits_BV after the last of them."""
  return model.apply(params, carry, tokens_BT, _first(tokens_BT, count), method='last')


def _hear(model, params, carry, tokens_BT, next_BT, count):
  """Reads the first `count` tokens (None: all) -> carry, logits_BV after the last of them, surprise_BT of the next."""
  mask_BT = _first(tokens_BT, count)
  carry, logits_BTV = model.apply(params, carry, tokens_BT, None, mask_BT)
  return carry, arrays.last(logits_BTV, mask_BT), surprise(logits_BTV, next_BT)


def _first(tokens_BT, count):
  length = tokens_BT.shape[1]
  return None if count is None or length == 1 else jnp.arange(length)[None] < count


@jax.jit
def surprise(logits_BV, token_B):
  """-log2 of the probability of each token."""
  taken_B = jnp.take_along_axis(logits_BV, token_B[..., None], axis=-1)[..., 0]
  return (jax.nn.logsumexp(logits_BV, -1) - taken_B) / jnp.log(2.0).astype(logits_BV.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _choose(sampler, key, position, logits_BV):
  return sampler(jax.random.fold_in(key, position), logits_BV)
