"""Answers to questions: read, think, say, a batch of any questions in one compiled program.

Every row thinks as often as it was asked to, or until its thoughts stand still, and says tokens until it says STOP; an
answer depends on nothing but its own row. What a row thought can be looked at afterwards.
B rows, Q tokens of a question, K thoughts, A tokens of an answer, D width.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.base import arrays, flops, spans
from latentmem.base.errors import InputError


class Answers(NamedTuple):
  """What came of a batch of questions.

  Attributes:
    tokens_BA: What was said, each token the likeliest; STOP not included, NOTHING behind the end.
    said_B: Tokens said, STOP included if it ended them, which may follow the A-th.
    thoughts_B: Thoughts that were thought.
    stilled_B: Whether thinking ended early because thoughts no longer changed.
    cut_B: Whether an answer was cut off at A tokens.
    h_BKD: The trail: what each pass that made a thought had in mind; zeros after the last, and for thoughts that no
      pass made (`pause`).
    gates_BK3: Means of read, forget and write at each thought, of the stream, or of the state where it is watched.
    held_BKE: What was held at each thought, as `Latent.held` tells it.
  """

  tokens_BA: jax.Array
  said_B: jax.Array
  thoughts_B: jax.Array
  stilled_B: jax.Array
  cut_B: jax.Array
  h_BKD: jax.Array
  gates_BK3: jax.Array
  held_BKE: jax.Array


class Answerer:
  """Answers with a `latent` model.

  Attributes:
    model, params: As training left them.
    end, stop: The token that ends thinking, and the one that ends an answer.
    longest: A.
    still: A thought that differs from the one before by less than this share of its size is the last; 0 for never.
    ends: (token, n): with the n-th token after this one an answer is over too; None where only `stop` ends it.
    watched: Whether the gates of a state are told too, which takes longer.
  """

  def __init__(self, model, params, end: int, stop: int, longest: int, still: float = 0.0,
               ends: tuple[int, int] | None = None, watched: bool = False):
    if longest < 1 or still < 0:
      raise InputError(f'An answer takes longest >= 1 and still >= 0; it got longest={longest}, still={still}.')
    self.model, self.params = model, params
    self.end, self.stop, self.longest, self.still = end, stop, longest, still
    self._program = jax.jit(functools.partial(
        _answer, model, end=end, stop=stop, longest=longest, still=still, ends=ends,
        watched=watched and model.feed == 'state'))

  def __call__(self, question_BQ, thoughts: int | None = None) -> Answers:
    """Answers questions, each filled with NOTHING to the model's Q tokens, after so many thoughts (None: all K).

    Raises InputError, before anything is compiled, for more thoughts than the model has, or questions of another size.
    """
    thoughts = self.model.thoughts if thoughts is None else thoughts
    if not isinstance(thoughts, (int, np.integer)) or not 0 <= thoughts <= self.model.thoughts:
      raise InputError(f'The model thinks a whole number of thoughts up to {self.model.thoughts}, not {thoughts}.')
    question_BQ = np.asarray(question_BQ, np.int32)
    if question_BQ.ndim != 2 or question_BQ.shape[1] != self.model.question:
      raise InputError(f'Questions have the shape {list(question_BQ.shape)}; they take {self.model.question} tokens '
                       'each.')
    return self._program(self.params, question_BQ, jnp.full(len(question_BQ), thoughts, jnp.int32))

  def costs(self) -> dict[str, int]:
    """Operations for one row, counted from the program: of the question, a thought, the first token, another one."""
    model, of = self.model, self.model.apply
    carry = jax.eval_shape(lambda params: of(params, 1, method='init_state'), self.params)
    asked = jax.ShapeDtypeStruct((1, model.question), jnp.int32)
    token, yes = jax.ShapeDtypeStruct((1, 1), jnp.int32), jax.ShapeDtypeStruct((1,), bool)
    counts = jax.ShapeDtypeStruct((1,), jnp.int32)
    ask = lambda params, carry, tokens: of(params, carry, tokens, None, tokens >= 0, method='ask')
    carry, thought = jax.eval_shape(ask, self.params, carry, asked)
    waiting = jax.ShapeDtypeStruct((1, thought.next_BND.shape[1]), bool)
    think = flops.count(functools.partial(of, method='think'), self.params, carry, thought, yes)
    return dict(question=flops.count(ask, self.params, carry, asked), thought=think if model.sequential else 0,
                first=flops.count(functools.partial(of, method='reply'), self.params, carry, thought, waiting, token),
                token=flops.count(functools.partial(of, method='go_on'), self.params, carry, token, counts))


def _answer(model, params, question_BQ, thoughts_B, *, end, stop, longest, still, ends, watched) -> Answers:
  rows = len(question_BQ)
  carry = model.apply(params, rows, method='init_state')
  made = functools.partial(_watched, model, params) if watched else functools.partial(model.apply, params)
  carry, thought = made(carry, question_BQ, None, question_BQ >= 0, method='ask')
  carry, thought, seen, stilled_B = _think(model, made, carry, thought, thoughts_B, still)
  wait_B = jnp.minimum(thoughts_B, 1) if model.sequential else thoughts_B
  waits_BN = jnp.arange(thought.next_BND.shape[1]) < wait_B[:, None]
  carry, logits_B1V = model.apply(params, carry, thought, waits_BN, jnp.full((rows, 1), end), method='reply')
  thought_B = thought.count_B + wait_B
  tokens_BA, said_B, cut_B = _say(model, params, carry, logits_B1V[:, 0], thought_B, end, stop, longest, ends)
  return Answers(tokens_BA, said_B, thought_B, stilled_B, cut_B, *seen)


def _watched(model, params, *call, method):
  """A pass that makes a thought, with the gates of the state at the last token that each row read."""
  (carry, thought), told = model.apply(params, *call, method=method, mutable=['telemetry'])
  gates_BT3 = model.state_gates(told['telemetry'])
  # A pass reads its real tokens first.
  read_B = jnp.sum(call[-1].reshape(len(gates_BT3), -1), axis=1)
  gates_B3 = arrays.at(jnp.maximum(read_B - 1, 0)[:, None], gates_BT3)[:, 0]
  return carry, thought._replace(gates_B3=gates_B3.astype(thought.gates_B3.dtype))


def _think(model, made, carry, thought, thoughts_B, still):
  """All thoughts but the last, which is read with the answer.

  Args: made: Reads what is in mind, by the method `think`.
  Returns: carry, thought, what Answers has of each thought, stilled_B.
  """
  many, rows = max(model.thoughts, 1), len(thoughts_B)
  thinks_B1 = model.sequential & (thoughts_B > 0)[:, None]
  telling = lambda carry, thought: (thought.h_BD, thought.gates_B3, model.held(carry, thought))
  seen = tuple(jnp.zeros((rows, many, *a.shape[1:]), a.dtype).at[:, 0].set(jnp.where(thinks_B1, a, 0))
               for a in telling(carry, thought))
  never_B = jnp.zeros(rows, bool)
  if not model.sequential:
    return carry, thought, seen, never_B

  def thinking(loop):
    k, _, _, _, stilled_B = loop
    return jnp.any((k < thoughts_B) & ~stilled_B)

  def body(loop):
    k, carry, thought, seen, stilled_B = loop
    active_B = (k < thoughts_B) & ~stilled_B
    carry, after = made(carry, thought, active_B, method='think')
    seen = tuple(old.at[:, k].set(jnp.where(active_B[:, None], new, 0))
                 for old, new in zip(seen, telling(carry, after)))
    size = lambda a_BD: jnp.sqrt(jnp.sum(jnp.square(a_BD), -1))
    same_B = size(after.h_BD - thought.h_BD) < still * size(thought.h_BD)
    return k + 1, carry, after, seen, stilled_B | (active_B & same_B & (k + 1 < thoughts_B))

  _, carry, thought, seen, stilled_B = jax.lax.while_loop(thinking, body, (1, carry, thought, seen, never_B))
  return carry, thought, seen, stilled_B


def _say(model, params, carry, logits_BV, thoughts_B, opening, stop, longest, ends):
  """The likeliest token after each other -> tokens_BA, said_B, cut_B."""
  rows, (say, many) = len(logits_BV), ends or (-1, 0)
  tokens_BA = jnp.full((rows, longest), spans.NOTHING, jnp.int32)
  # Tokens until the end of an answer, below 0 where only `stop` ends it.
  left_B = jnp.full(rows, many if opening == say else -1)
  first_B = jnp.argmax(logits_BV, -1).astype(jnp.int32)

  def saying(loop):
    a, _, _, _, going_B, _ = loop
    return (a < longest) & jnp.any(going_B)

  def body(loop):
    a, carry, tokens_BA, left_B, going_B, next_B = loop
    tokens_BA = tokens_BA.at[:, a].set(jnp.where(going_B, next_B, spans.NOTHING))
    left_B = jnp.where(going_B, jnp.where(next_B == say, many, left_B - 1), left_B)
    going_B &= left_B != 0

    def read(carry):
      carry, logits_B1V = model.apply(params, carry, next_B[:, None], thoughts_B, going_B[:, None], method='go_on')
      return carry, jnp.argmax(logits_B1V[:, 0], -1).astype(jnp.int32)
    carry, next_B = jax.lax.cond(jnp.any(going_B), read, lambda carry: (carry, next_B), carry)
    return a + 1, carry, tokens_BA, left_B, going_B & (next_B != stop), next_B

  _, _, tokens_BA, left_B, going_B, _ = jax.lax.while_loop(
      saying, body, (0, carry, tokens_BA, left_B, first_B != stop, first_B))
  return tokens_BA, jnp.sum(tokens_BA != spans.NOTHING, 1) + (~going_B & (left_B != 0)), going_B
