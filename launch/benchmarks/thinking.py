"""The suite `thinking`: thoughts and answers read against a carry, beside passes that read everything again."""

import datetime

import jax
import jax.numpy as jnp

from latentmem import model
from latentmem.base import records
from latentmem.model import interface
from launch.benchmarks import layer

# What is measured, after a question was read, or with it.
WHATS = ('thoughts', 'whole answer')
FORMS = ('cached', 'uncached')
THOUGHTS, SAID, VOCAB, END = 4, 3, 64, 1


def thinker(question: int, heads: int, head_width: int, layers: int = 4):
  """A model with thoughts fed back and its parameters."""
  it = model.make('latent', vocab=VOCAB, width=heads * head_width, layers=layers, remat='none', feed='feedback',
                  question=question, thoughts=THOUGHTS, memory=dict(kind='none'),
                  compose=dict(kind='attention', heads=heads, window=question + THOUGHTS + SAID))
  return it, interface.init_params(it, jax.random.key(0))


def asked(it, params, question_BQ):
  return it.apply(params, it.apply(params, len(question_BQ), method='init_state'), question_BQ, method='ask')


def think_cached(it, params, carry, thought, times: int):
  for _ in range(times):
    carry, thought = it.apply(params, carry, thought, method='think')
  return carry, thought


def answer_cached(it, params, question_BQ):
  """Logits [B, SAID, V] of an answer's tokens, each the likeliest."""
  rows = len(question_BQ)
  carry, thought = think_cached(it, params, *asked(it, params, question_BQ), THOUGHTS - 1)
  end_B1, yes_B1 = jnp.full((rows, 1), END), jnp.ones((rows, 1), bool)
  carry, logits_B1V = it.apply(params, carry, thought, yes_B1, end_B1, method='reply')
  said = [logits_B1V]
  for _ in range(SAID - 1):
    token_B1 = jnp.argmax(said[-1], -1)
    carry, logits_B1V = it.apply(params, carry, token_B1, jnp.full(rows, THOUGHTS), method='go_on')
    said.append(logits_B1V)
  return jnp.concatenate(said, 1)


def pass_over(it, params, x_BTD):
  """What a pass over everything, from a fresh carry, makes of its last vector, [B, 1, D]."""
  carry = it.apply(params, len(x_BTD), method='init_state')
  return it.apply(params, carry, x_BTD, aligned=True, method='through')[1][:, -1:]


def think_uncached(it, params, x_BTD, times: int):
  for _ in range(times):
    x_BTD = jnp.concatenate([x_BTD, pass_over(it, params, x_BTD)], axis=1)
  return x_BTD


def answer_uncached(it, params, question_BQ):
  """The same as `answer_cached`, by passes over everything."""
  embed = lambda tokens: it.apply(params, tokens, method='embedded')
  x_BTD = think_uncached(it, params, embed(question_BQ), THOUGHTS)
  token_B1, said = jnp.full((len(question_BQ), 1), END), []
  for _ in range(SAID):
    x_BTD = jnp.concatenate([x_BTD, embed(token_B1)], axis=1)
    said.append(it.apply(params, pass_over(it, params, x_BTD), method='logits'))
    token_B1 = jnp.argmax(said[-1], -1)
  return jnp.concatenate(said, 1)


def calls(it, params, question_BQ) -> dict:
  """By what and form, a function of nothing."""
  compiled = lambda f, *args: (lambda program: lambda: program(params, *args))(
      jax.jit(lambda params, *args: f(it, params, *args)))
  kept = jax.jit(lambda params: asked(it, params, question_BQ))(params)
  x_BTD = jnp.concatenate([it.apply(params, question_BQ, method='embedded'), kept[1].next_BND], axis=1)
  four = lambda think: lambda *args: think(*args, THOUGHTS)
  return {
      'thoughts': dict(cached=compiled(four(think_cached), *kept), uncached=compiled(four(think_uncached), x_BTD)),
      'whole answer': dict(cached=compiled(answer_cached, question_BQ),
                           uncached=compiled(answer_uncached, question_BQ)),
  }


def run(lengths: list[int], batch: int, heads: int, head_width: int, repeats: int, told=print) -> dict:
  """Measures everything, the two forms by turns, and returns the record."""
  rows = []
  for length in lengths:
    it, params = thinker(length, heads, head_width)
    question_BQ = jax.random.randint(jax.random.key(1), (batch, length), 0, VOCAB)
    for what, forms in calls(it, params, question_BQ).items():
      seconds = layer.by_turns(forms, repeats)
      times = min(seconds['uncached']) / min(seconds['cached'])
      rows.append(dict(what=what, length=length, seconds=seconds, times_faster=times))
      told(f'{what:12} question {length:6}  {min(seconds["cached"]) * 1e3:9.2f} ms  {times:5.2f} times as fast as '
           'passes over everything')
  return dict(suite='thinking', model=dict(layers=it.layers, width=it.width, thoughts=THOUGHTS, said=SAID, batch=batch),
              rows=rows, versions=records.versions(), commit=records.commit(), machine=records.machine(jax.devices()),
              date=datetime.date.today().isoformat())
