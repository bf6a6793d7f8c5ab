"""Trains arms of one comparison, lets each answer the same problems, and puts them into one table.

  python -m launch.reason --config=configs/reason.py:prosqa --arms=none,pause,feedback,state --seeds=3 --workdir=runs/p

Every arm and seed is a run folder like those of launch.train, with answers.json beside the rest; table.txt, table.json
and table.png lie above them. The same command again goes on where it stopped.
"""

import pathlib
import time

from absl import flags, logging
import jax
import numpy as np

from latentmem.base import records, spans
from latentmem.base.errors import InputError
from latentmem.session.answering import Answerer
from latentmem.tasks import chains, is_a_graphs
from latentmem.train import loop, results
from latentmem.train.preemption import Preemption
from launch import arms, parts, shell

_CONFIG = shell.define_config()
_ARMS = flags.DEFINE_list('arms', list(arms.ARMS), 'Arms, of: ' + ', '.join(arms.ARMS))
_SEEDS = flags.DEFINE_integer('seeds', 1, 'Seeds of each arm, from the config\'s on.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the comparison; runs/<config> where it is not given.')


def main():
  logging.set_verbosity(logging.FATAL)
  config = shell.config_of(_CONFIG)
  if 'reason' not in config or _SEEDS.value < 1 or not _ARMS.value:
    raise InputError('launch.reason needs a config with a part `reason` (configs/reason.py), an arm and a seed.')
  configs = {arm: arms.of(config, arm) for arm in _ARMS.value}
  folder = pathlib.Path(_WORKDIR.value or f'runs/{shell.config_name()}')
  shell.writable(folder / 'table.json')
  with Preemption() as preemption:
    # Seed by seed, so that a comparison that was cut short has some of every arm.
    for seed in range(config['seed'], config['seed'] + _SEEDS.value):
      for arm, chosen in configs.items():
        if not one(folder / f'{arm}-{seed}', chosen | dict(seed=seed), preemption):
          return
  tell(folder, list(configs))


def one(path: pathlib.Path, config: dict, preemption) -> bool:
  """Trains and scores one run, or goes on with it. False where it was asked to leave before its end."""
  built = parts.build(config)
  run = results.begin(path, built.config, built.source)
  if (run.path / 'answers.json').exists():
    return True
  print(f'Training into {run.path}', flush=True)
  trained = loop.train(run, built.model, built.source, built.train, built.evaluate, built.config['seed'], built.place,
                       preemption)
  if not trained.done:
    return False
  run.result or results.finish(run, trained, built.source)
  params = jax.device_put(trained.state.params, jax.local_devices()[0])
  look(run, built.model, params, built.source.asks)
  run.write('answers.json', scored(built.model, params, built.source.asks, **built.config['reason']))
  return True


def look(run: records.Run, net, params, task: chains.Chains, problems: int = 5) -> None:
  """Writes what the model thinks of a few problems: thoughts.json and, of the first graph, figures/thoughts.png."""
  if not net.thoughts:
    return
  from latentmem.study import reasoning, thoughts
  asked = task.heldout_problems(problems)
  answers = Answerer(net, params, chains.END, chains.STOP, 1)(rows_of(task, asked))
  logits_BKV = np.asarray(net.apply(params, answers.h_BKD, method='logits'))
  say = lambda tokens: ' '.join(task.words[t] for t in tokens)
  run.write('thoughts.json', [
      dict(question=say(problem.question), steps=[say(step) for step in problem.steps], answer=say(problem.answer),
           thoughts=thoughts.nearest(logits_KV, task.words)) for problem, logits_KV in zip(asked, logits_BKV)])
  if graph := asked[0].graph:
    told = graph.asked._asdict() | dict(names=[task.words[t] for t in graph.token_N])
    figure = thoughts.draw(told, thoughts.on_nodes(logits_BKV[0], graph.token_N))
    run.write('figures/thoughts.png', reasoning.png(figure))


def rows_of(task: chains.Chains, asked: list[chains.Problem]) -> np.ndarray:
  """Questions as rows, [B, Q]."""
  question_BQ = np.full((len(asked), task.question), spans.NOTHING, np.int32)
  for row_Q, problem in zip(question_BQ, asked):
    row_Q[:len(problem.question) + 1] = task.asked(problem)
  return question_BQ


def scored(net, params, task: chains.Chains, problems: int, longest: int, still: float, rows: int = 50) -> dict:
  """What a model answers to held-out problems, and what that costs."""
  asked = task.heldout_problems(problems)
  # The last batch is filled up with the first question.
  question_NQ = rows_of(task, asked + asked[:1] * (-len(asked) % rows))
  answer = Answerer(net, params, chains.END, chains.STOP, longest, still)
  jax.block_until_ready(answer(question_NQ[:rows]))
  begun = time.monotonic()
  batches = [jax.device_get(answer(question_NQ[i:i + rows])) for i in range(0, len(question_NQ), rows)]
  seconds = (time.monotonic() - begun) / len(question_NQ)
  answers = jax.tree.map(lambda *a: np.concatenate(a)[:len(asked)], *batches)
  tokens = [row_A[row_A != spans.NOTHING].tolist() for row_A in answers.tokens_BA]
  costs, said, thoughts = answer.costs(), float(answers.said_B.mean()), float(answers.thoughts_B.mean())
  alone = max(thoughts - 1, 0) if net.sequential else 0
  after = alone * costs['thought'] + costs['first'] + (said - 1) * costs['token']
  rules = {}
  if all(problem.graph for problem in asked):
    rules['farther'] = float(np.mean([is_a_graphs.farther(problem.graph.asked) for problem in asked]))
  return dict(
      right=sum(task.right(problem, out) for problem, out in zip(asked, tokens)), problems=len(asked), said=said,
      thoughts=thoughts, stilled=int(answers.stilled_B.sum()), cut=int(answers.cut_B.sum()), passes=alone + said,
      flops_after=after, flops=costs['question'] + after, costs=costs, seconds=seconds, rows=rows, rules=rules,
      size_of_thought=np.sqrt(np.mean(np.square(answers.h_BKD), axis=(0, 2))).tolist(),
      gates=answers.gates_BK3.mean(0).tolist())


def tell(folder: pathlib.Path, names: list[str]) -> None:
  """Writes and prints the table of all runs in a folder."""
  from latentmem.study import reasoning
  found = {arm: [records.read_json(path) for path in sorted(folder.glob(f'{arm}-*/answers.json'))] for arm in names}
  rows = [reasoning.summary(arm, runs) for arm, runs in found.items()]
  rules = next(iter(found.values()))[0]['rules']
  text = reasoning.table(rows, rules)
  records.write_json(folder / 'table.json', dict(rows=rows, rules=rules, runs=found))
  records.write_whole(folder / 'table.txt', text + '\n')
  records.write_whole(folder / 'table.png', reasoning.png(reasoning.draw(rows, rules, folder.name)))
  print(text)


if __name__ == '__main__':
  shell.run(main)
