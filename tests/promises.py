"""What everything that reads a sequence into a state promises, whatever it is.

A promise is a function of a `Subject`; `ALL` lists them. Memories, ways of composing and whole models
hand over the same few things and keep the same promises, in float64. `meaning` below is the plain way of
reading, one token a call, so every other way is held against any cut of the sequence at once.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.checks import assert_close

BATCH, LENGTH = 3, 22
SHARES = np.array([0.2, 0.1])


class Subject:
  """Something that reads: `state, y = read(params, state, x, reset, mask, parallel, aligned)`.

  Attributes:
    params: Parameters, float64.
    x, other: Two inputs [BATCH, LENGTH, ...] that differ everywhere.
    align: Documents start at multiples of it; 1 if anywhere.
    rows: State to one tree per row, of all that later answers may depend on.
  """

  def __init__(self, params, x, other, init_state, read, align=1, rows=None):
    """`init_state(params) -> state` of BATCH rows; `read` as above, not jitted."""
    assert 8 % align == 0, 'Promises start documents at multiples of 8.'
    self.params, self.x, self.other, self.align = params, x, other, align
    self.rows = rows or (lambda state: [jax.tree.map(lambda a, b=b: a[b], state) for b in range(BATCH)])
    self.plain_read = read
    self.jitted = jax.jit(read, static_argnums=(5, 6))
    self.init_state = init_state
    moved = (0, 1, 2) if jnp.issubdtype(x.dtype, jnp.floating) else (0, 1)
    self.gradients = jax.jit(jax.value_and_grad(self._score, argnums=moved, has_aux=True), static_argnums=(6, 7))

  @functools.cached_property
  def fresh(self):
    return jax.jit(self.init_state)(self.params)

  @functools.cached_property
  def lived(self):
    """A state that has read 9 tokens: no zeros left in it, and not at a chunk's start."""
    return self._after(self.other[:, :9])

  def first(self, tokens):
    """A state that has read some tokens, and two ways in which reading others would have moved it, [2, ...] a leaf.

    What a state's gradient is asked of: a slot not yet filled is no input, and what is equal by construction stays so.
    """
    first, *two = [self._after(x) for x in (self.other[:, :tokens], self.x[:, :tokens], self.other[:, -tokens:])]
    return first, jax.tree.map(lambda own, a, b: np.stack([a, b]) - np.asarray(own, float), first, *two)

  def every_way(self, x, state=None, reset=None):
    """End state and answers, read in parallel, in turn, and one token a call."""
    for parallel in (True, False):
      yield self.read(x, state, reset, parallel=parallel)
    states, y = self.meaning(x, state, reset)
    yield states[-1], y

  def _after(self, x):
    return self.meaning(x)[0][-1]

  def read(self, x, state=None, reset=None, mask=None, parallel=True, aligned=False):
    state = self.fresh if state is None else state
    reset = np.zeros(x.shape[:2], bool) if reset is None else reset
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    return self.jitted(self.params, state, x, reset, mask, parallel, aligned)

  def meaning(self, x, state=None, reset=None):
    """States before the first and after every token, and all answers, reading one token a call."""
    states, answers = [self.fresh if state is None else state], []
    reset = np.zeros(x.shape[:2], bool) if reset is None else reset
    for t in range(x.shape[1]):
      state, y = self.read(x[:, t:t + 1], states[-1], reset[:, t:t + 1], parallel=False)
      states.append(state)
      answers.append(y)
    return states, np.concatenate(answers, axis=1)

  def _score(self, params, shares, x, first, reset, mask, parallel, aligned):
    """A number that everything read has a part in, from a state moved by a share of each way."""
    state = jax.tree.map(lambda leaf, moves: leaf + jnp.tensordot(shares, moves, 1).astype(leaf.dtype), *first)
    state, y = self.plain_read(params, state, x, reset, mask, parallel, aligned)
    if mask is not None:
      y = jnp.where(mask.reshape(mask.shape + (1,) * (y.ndim - 2)), y, 0)
    weight = 1 + jnp.cos(jnp.arange(BATCH * LENGTH)).reshape(BATCH, LENGTH, *[1] * (y.ndim - 2))[:, :y.shape[1]]
    weight += 0.1 * jnp.sin(jnp.arange(y.shape[-1]))
    end = [leaf for leaf in jax.tree.leaves(self.rows(state)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.sum(weight * jnp.sin(y)) + sum(jnp.sum(jnp.cos(leaf + 1)) for leaf in end), (state, y)


def from_token(x, other, at):
  """x before token `at`, other from there on."""
  return np.concatenate([x[:, :at], other[:, at:]], axis=1)


def in_front(lengths, length=LENGTH):
  return np.arange(length) < np.asarray(lengths)[:, None]


def resets(subject, at):
  """Documents that start at `at` [(row, token), ...], as far as the subject lets them."""
  reset = np.zeros((BATCH, LENGTH), bool)
  for row, t in at:
    reset[row, t] = t % subject.align == 0
  return reset


def assert_same_states(subject, got, want):
  assert_close(subject.rows(got), subject.rows(want))


def parallel_equals_in_turn_with_gradients(subject):
  """Answers, end state, and gradients of parameters, inputs and the first state."""
  real = in_front([LENGTH, 13, 0])
  # The state has read 9 tokens: where documents must start at chunks, one may start here, at 7 and at 15.
  reset = np.zeros((BATCH, LENGTH), bool)
  reset[0, 7] = reset[0, 15] = reset[1, 0] = True
  if subject.align == 1:
    reset[0, 10] = reset[0, 11] = reset[1, 12] = True
  first = subject.first(9)
  run = lambda parallel: subject.gradients(subject.params, SHARES, subject.x, first, reset, real, parallel, False)
  assert_same_scores(subject, run(True), run(False))


def training_equals_in_turn_with_gradients(subject):
  """Whole chunks from a chunk's start, no mask: what a training step asks for."""
  first, sixteen = subject.first(8), in_front([16] * BATCH)
  reset = resets(subject, [(0, 0), (0, 8), (1, 8), (1, 13)])
  slow = subject.gradients(subject.params, SHARES, subject.x, first, reset, sixteen, False, False)
  fast = subject.gradients(subject.params, SHARES, subject.x[:, :16], first, reset[:, :16], None, True, True)
  (value, (state, y)), (of_params, of_state, *of_x) = slow
  of_x = [slope[:, :16] for slope in of_x]
  assert_same_scores(subject, fast, ((value, (state, y[:, :16])), (of_params, of_state, *of_x)))


def assert_same_scores(subject, got, want):
  ((got_value, (got_state, got_y)), got_slopes), ((value, (state, y)), slopes) = got, want
  assert_close(got_y, y)
  assert_same_states(subject, got_state, state)
  assert_close(got_value, value)
  assert_close(dict(gradient=got_slopes), dict(gradient=slopes))


def any_cut_is_the_same_as_whole(subject):
  """Pieces in parallel, in turn and mixed; whole in both ways; all against one token a call."""
  states, want = subject.meaning(subject.x)
  pieces = [(0, 5), (5, 10), (10, 15), (15, 20)]
  for ways in ([True] * 4, [False] * 4, [True, False, True, False], [False, True, False, True]):
    state, answers = None, []
    for (start, end), parallel in zip(pieces, ways):
      state, y = subject.read(subject.x[:, start:end], state, parallel=parallel)
      assert_same_states(subject, state, states[end])
      answers.append(y)
    assert_close(np.concatenate(answers, axis=1), want[:, :20])
  for parallel in (True, False):
    state, y = subject.read(subject.x, parallel=parallel)
    assert_close(y, want)
    assert_same_states(subject, state, states[-1])


def a_read_in_parallel_continues_token_by_token(subject):
  _, want = subject.meaning(subject.x)
  state, left = subject.read(subject.x[:, :5])
  _, right = subject.meaning(subject.x[:, 5:], state)
  assert_close(np.concatenate([left, right], axis=1), want)


def the_future_is_unseen(subject):
  """Bit for bit."""
  for parallel in (True, False):
    _, y = subject.read(subject.x, subject.lived, parallel=parallel)
    for at in (1, 7, 13, 14, 15):
      _, changed = subject.read(from_token(subject.x, subject.other, at), subject.lived, parallel=parallel)
      np.testing.assert_array_equal(changed[:, :at], y[:, :at])
      assert np.any(np.asarray(changed[:, at]) != np.asarray(y[:, at])) or not np.any(y), 'Nothing is seen at all.'


def a_reset_forgets_everything(subject):
  """A document's answers and end are those of the document alone; other rows go on."""
  for at in (0, 8) if subject.align > 1 else (0, 8, 10, 21):
    alone_states, alone = subject.meaning(subject.x[:, at:])
    on_states, on = subject.meaning(subject.x)
    reset = resets(subject, [(0, at), (2, at)])
    for state, y in subject.every_way(subject.x, None, reset):
      assert_close(y[0, at:], alone[0])
      assert_close(y[2, at:], alone[2])
      assert_close(y[:, :at], on[:, :at])
      assert_close(y[1], on[1])
      got, own, going = map(subject.rows, (state, alone_states[-1], on_states[-1]))
      assert_close(got, [own[0], going[1], own[2]])


def a_reset_at_the_first_token_forgets_what_was_carried(subject):
  want_states, want = subject.meaning(subject.x)
  on_states, on = subject.meaning(subject.x, subject.lived)
  reset = resets(subject, [(1, 0)])
  for state, y in subject.every_way(subject.x, subject.lived, reset):
    assert_close(y, np.stack([on[0], want[1], on[2]]))
    got, own, going = map(subject.rows, (state, want_states[-1], on_states[-1]))
    assert_close(got, [going[0], own[1], going[2]])


def several_documents_in_a_row_stay_apart(subject):
  """Short documents, one after another, some of a single token."""
  reset = resets(subject, [(0, 8), (0, 16), (1, 3), (1, 4), (1, 5), (1, 14), (1, 16), (2, 8), (2, 9), (2, 21)])
  states, want = subject.meaning(subject.x, None, reset)
  for parallel in (True, False):
    state, y = subject.read(subject.x, None, reset, parallel=parallel)
    assert_close(y, want)
    assert_same_states(subject, state, states[-1])
  last = max(t for t in range(LENGTH) if reset[0, t])
  assert_close(y[0, last:], subject.meaning(subject.x[:, last:])[1][0])


def rows_do_not_mix(subject):
  changed = np.concatenate([subject.x[:1], subject.other[1:2], subject.x[2:]])
  for parallel in (True, False):
    state, y = subject.read(subject.x, subject.lived, parallel=parallel)
    changed_state, changed_y = subject.read(changed, subject.lived, parallel=parallel)
    for b in (0, 2):
      assert_close(changed_y[b], y[b])
      assert_close(subject.rows(changed_state)[b], subject.rows(state)[b])


def masked_tokens_leave_no_trace(subject):
  """Rows of different real lengths end as if they had been read alone, whatever stands after them."""
  lengths = [LENGTH, 13, 0]
  states, want = subject.meaning(subject.x, subject.lived)
  mask = in_front(lengths)
  behind = np.where(mask.reshape(mask.shape + (1,) * (subject.x.ndim - 2)), subject.x, subject.other)
  # A document that begins where there is no token begins nothing.
  reset = ~mask
  for parallel in (True, False):
    for reset_BT in (None, reset):
      state, y = subject.read(behind, subject.lived, reset_BT, mask, parallel=parallel)
      got = subject.rows(state)
      for b, n in enumerate(lengths):
        assert_close(y[b, :n], want[b, :n])
        assert_close(got[b], subject.rows(states[n])[b])
  state, y = subject.read(behind[:, :1], subject.lived, None, in_front([1, 0, 0], 1), parallel=False)
  assert_close(y[0], want[0, :1])
  assert_close(subject.rows(state), subject.rows(states[1])[:1] + subject.rows(states[0])[1:])


def holes_in_a_mask_are_no_tokens(subject):
  """Left-padded, holed and empty rows read as their real tokens alone do. Models promise it, not every memory."""
  mask = np.ones((BATCH, LENGTH), bool)
  mask[0, :5] = mask[1, [0, 3, 4, 9, 20]] = mask[2] = False
  for parallel in (True, False):
    state, y = subject.read(subject.x, subject.lived, None, mask, parallel=parallel)
    assert_close(subject.rows(state)[2], subject.rows(subject.lived)[2])
    for b in (0, 1):
      real = np.flatnonzero(mask[b])
      states, alone = subject.meaning(np.asarray(subject.x)[:, real], subject.lived)
      assert_close(y[b, real], alone[b])
      assert_close(subject.rows(state)[b], subject.rows(states[-1])[b])


def rows_of_different_ages_read_on_together(subject):
  """Each call brings each row its own number of tokens, sometimes none."""
  states, want = subject.meaning(subject.x)
  for ways in ([True] * 4, [True, False, False, True]):
    state, at = None, np.zeros(BATCH, int)
    for lengths, parallel in zip(([5, 3, 0], [0, 5, 5], [3, 2, 4], [5, 5, 5]), ways):
      places = np.minimum(at[:, None] + np.arange(5), LENGTH - 1)
      piece = np.stack([np.asarray(subject.x)[b, places[b]] for b in range(BATCH)])
      state, y = subject.read(piece, state, None, in_front(lengths, 5), parallel=parallel)
      for b, n in enumerate(lengths):
        assert_close(y[b, :n], want[b, at[b]:at[b] + n])
        assert_close(subject.rows(state)[b], subject.rows(states[at[b] + n])[b])
      at += lengths


def aligned_changes_nothing_where_it_is_true(subject):
  states, want = subject.meaning(subject.x)
  state, y = subject.read(subject.x[:, 8:], states[8], aligned=True)
  assert_close(y, want[:, 8:])
  assert_same_states(subject, state, states[-1])


def a_second_call_does_not_recompile(subject):
  for parallel in (True, False):
    state, _ = subject.read(subject.x, parallel=parallel)
    before = subject.jitted._cache_size()
    subject.read(subject.x, state, parallel=parallel)
    assert subject.jitted._cache_size() == before


def the_state_does_not_grow(subject):
  """Structure, shapes and types stay, however much is read."""
  like = lambda tree: jax.tree.map(lambda a: (a.shape, a.dtype), tree)
  for repeat, parallel in ((1, True), (20, True), (20, False)):
    x = np.tile(subject.x, (1, repeat) + (1,) * (subject.x.ndim - 2))
    reset, mask = np.zeros(x.shape[:2], bool), np.ones(x.shape[:2], bool)
    read = functools.partial(subject.plain_read, parallel=parallel, aligned=False)
    state, _ = jax.eval_shape(read, subject.params, subject.fresh, x, reset, mask)
    assert like(state) == like(subject.fresh)


ALL = (
    parallel_equals_in_turn_with_gradients,
    training_equals_in_turn_with_gradients,
    any_cut_is_the_same_as_whole,
    a_read_in_parallel_continues_token_by_token,
    the_future_is_unseen,
    a_reset_forgets_everything,
    a_reset_at_the_first_token_forgets_what_was_carried,
    several_documents_in_a_row_stay_apart,
    rows_do_not_mix,
    masked_tokens_leave_no_trace,
    rows_of_different_ages_read_on_together,
    aligned_changes_nothing_where_it_is_true,
    a_second_call_does_not_recompile,
    the_state_does_not_grow,
)
