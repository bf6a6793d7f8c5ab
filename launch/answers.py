"""What a trained model answers to held-out problems, what that costs, and what it thought."""

import functools
import io
import time
from typing import NamedTuple

import jax
import numpy as np

from latentmem.base import records, spans
from latentmem.base.errors import check_known, InputError
from latentmem.model import latent
from latentmem.session.answering import Answerer, Answers
from latentmem.tasks import chains, is_a_graphs

# A config's part `reason`, each field with its least: held-out problems, tokens of an answer at most, when thoughts
# stand still, and problems whose thoughts are kept whole.
FIELDS = dict(problems=1, longest=1, still=0, trail=0)


class Given(NamedTuple):
  """What a model gave for answers.

  Attributes:
    asked: The problems.
    answers: Arrays of numpy, a row a problem.
    seconds: Of one answer, in a batch of `rows`.
    costs: Operations, as `Answerer.costs` counts them.
  """

  asked: list[chains.Problem]
  answers: Answers
  seconds: float
  rows: int
  costs: dict[str, int]


def check(chosen: dict, source) -> None:
  """Raises InputError for a part `reason` that cannot be followed, or problems that do not fit: before any training."""
  for name in chosen:
    check_known(name, FIELDS, 'reason', 'field')
  for name, least in FIELDS.items():
    kinds = (int, float) if name == 'still' else int
    if not isinstance(chosen.get(name), kinds) or isinstance(chosen[name], bool) or not least <= chosen[name] < np.inf:
      raise InputError(f'reason.{name}={chosen.get(name)!r}; it must be a '
                       f'{"" if name == "still" else "whole "}number, at least {least}.')
  asked = heldout(chosen, source)
  source.asks.check_fit(asked, 'The held-out problems')
  source.asks.example(asked[0], source.asks.stages)


def heldout(chosen: dict, source) -> list[chains.Problem]:
  """The problems that models are asked."""
  return source.asks.heldout_problems(chosen['problems'], source.heldout_seed)


def rows_of(task: chains.Chains, asked: list[chains.Problem]) -> np.ndarray:
  """Questions as rows, [B, Q]."""
  return np.stack([task.asked(problem) for problem in asked])


def given(net, params, task: chains.Chains, asked: list[chains.Problem], longest: int, still: float,
          rows: int = 50, watched: bool = False) -> Given:
  """Lets a model answer problems, `rows` at a time; where it is `watched`, the gates of a state are told too."""
  # The last batch is filled up with the first question.
  question_NQ = rows_of(task, asked + asked[:1] * (-len(asked) % rows))
  made = functools.partial(Answerer, net, params, task.opens, chains.STOP, longest, still, task.ends)
  answer = made()
  in_batches = lambda read: [jax.device_get(read(question_NQ[i:i + rows])) for i in range(0, len(question_NQ), rows)]
  jax.block_until_ready(answer(question_NQ[:rows]))
  begun = time.monotonic()
  batches = in_batches(answer)
  seconds = (time.monotonic() - begun) / len(question_NQ)
  if watched and net.feed == 'state':
    batches = in_batches(made(watched=True))
  return Given(asked, jax.tree.map(lambda *a: np.concatenate(a)[:len(asked)], *batches), seconds, rows, answer.costs())


def scored(net, task: chains.Chains, got: Given) -> dict:
  """How often a model is right, and what an answer costs."""
  asked, answers = got.asked, got.answers
  return dict(
      right=right(task, got), problems=len(asked), left_out=task.left_out,
      stilled=int(answers.stilled_B.sum()), cut=int(answers.cut_B.sum()), seconds=got.seconds, rows=got.rows,
      rules=rules(asked), **prices(net, got.costs, float(answers.said_B.mean()), float(answers.thoughts_B.mean())),
      size_of_thought=sizes(answers.h_BKD) if net.sequential else [],
      size_of_held=sizes(answers.held_BKE) if net.feed in latent.HOLDING else [],
      gates=answers.gates_BK3.mean(0).tolist() if net.feed in latent.HOLDING else [])


def sizes(thoughts_BKD) -> list[float]:
  """Root mean square of each thought, over all problems."""
  return np.sqrt(np.mean(np.square(thoughts_BKD), axis=(0, 2))).tolist()


def right(task: chains.Chains, got: Given) -> int:
  """Right answers; one that was cut off is none."""
  tokens = [row_A[row_A != spans.NOTHING].tolist() for row_A in got.answers.tokens_BA]
  return sum(task.right(problem, out) and not cut
             for problem, out, cut in zip(got.asked, tokens, got.answers.cut_B.tolist()))


def lacks(net) -> list[dict]:
  """What a model that holds something from thought to thought can be left without, as `Latent.lacking` takes it."""
  parts = [dict(without=part, write_until=0) for part in ('read', 'write', 'forget')]
  # A stream's last write is read by no thought, so that what is written until the one before is everything.
  last = net.thoughts - 1 if net.feed == 'stream' else net.thoughts + 1
  return parts + [dict(without='', write_until=k) for k in range(1, last)]


def prices(net, costs: dict, said: float, thoughts: float) -> dict:
  """Operations and passes of one answer; a thought that waits for no pass is read with the first token."""
  alone = max(thoughts - 1, 0) if net.sequential else 0
  after = alone * costs['thought'] + costs['first'] + (said - 1) * costs['token']
  return dict(said=said, thoughts=thoughts, passes=alone + said, flops_after=after, flops=costs['question'] + after,
              costs=costs)


def rules(asked: list[chains.Problem]) -> dict[str, float]:
  """What rules that do not think score on the same problems."""
  graphs = [problem.graph.asked for problem in asked if problem.graph]
  return dict(farther=float(np.mean([is_a_graphs.farther(graph) for graph in graphs]))) if graphs else {}


def look(run: records.Run, net, params, task: chains.Chains, got: Given, problems: int = 5) -> None:
  """Writes what the model thinks of the first problems: thoughts.json and, of the first graph, figures/thoughts.png.

  Thoughts that no pass makes have nothing to show.
  """
  if not net.sequential:
    return
  from latentmem.study import figures, thoughts
  asked = got.asked[:problems]
  logits_BKV = np.asarray(net.apply(params, got.answers.h_BKD[:problems], method='logits'))
  say = lambda tokens: ' '.join(task.words[t] for t in tokens)
  run.write('thoughts.json', [
      dict(question=say(problem.question), steps=[say(step) for step in problem.steps], answer=say(problem.answer),
           thoughts=thoughts.nearest(logits_KV, task.words)) for problem, logits_KV in zip(asked, logits_BKV)])
  if graph := asked[0].graph:
    told = graph.asked._asdict() | dict(names=[task.words[t] for t in graph.token_N])
    figure = thoughts.draw(told, thoughts.on_nodes(logits_BKV[0], graph.token_N))
    run.write('figures/thoughts.png', figures.png(figure))


def keep_trail(run: records.Run, task: chains.Chains, got: Given, problems: int) -> None:
  """Writes trail.npz: of the first problems the question, each thought, its gates, what it held, what was said."""
  if not problems:
    return
  out = io.BytesIO()
  first = {name: np.asarray(a, np.float32 if a.dtype.kind not in 'biu' else a.dtype)[:problems]
           for name, a in got.answers._asdict().items()}
  np.savez(out, question_BQ=rows_of(task, got.asked[:problems]), **first)
  run.write('trail.npz', out.getvalue())
