"""Thinking between question and answer: small models from scratch, every arm on the same problems.

  python -m launch.reason --config=configs/reason.py:prosqa --arms=cot,no_cot,none,pause,feedback,stream,state --seeds=3

After the colon: prosqa (three and four steps), matched (its options equally far), official (as long as the public files
are, for --config.data.task.heldout_file=prosqa_test.json), words (official, told in words), small (matched, three hops
in ten nodes), brief (small with four thoughts for its three steps, and answers of one token with no STOP behind them),
prontoqa or arithmetic. One arm alone is a run like others: launch.train with configs/reason.py:small learns `feedback`.
"""

import ml_collections

from latentmem import data, model, train
from latentmem.base.errors import check_known

# Two thoughts a step: in one layer a pass looks up where it is, or goes on from there.
SMALL = dict(kind='prosqa', hops=(3,), stages=3, per_step=2, question=48, rest=14, matched=True, nodes=10.0,
             graphs=3000)
TASKS = dict(
    small=SMALL,
    brief=SMALL | dict(most=4, answer=1),
    prosqa=dict(kind='prosqa', hops=(3, 4), stages=4, per_step=2, question=132, rest=16),
    matched=dict(kind='prosqa', hops=(3, 4), stages=4, per_step=2, question=132, rest=16, matched=True),
    official=dict(kind='prosqa', stages=6, question=168, rest=24),
    words=dict(kind='prosqa', form='words', stages=6, question=344, rest=48),
    prontoqa=dict(kind='prontoqa', stages=5),
    arithmetic=dict(kind='arithmetic', stages=3),
)
# Rows, and steps of the first stage, of those between, and of the last; questions three times as long get fewer.
BUDGET = (64, 500, 1200, 1000)
BUDGETS = dict.fromkeys(('prosqa', 'matched', 'official', 'words'), (16, 500, 700, 500))
# A few rows at a time stay in a CPU's cache, which makes a step up to twice as fast.
ACCUMULATE = 4
# Share of examples of any stage: one that was not learned in its time still can be.
MIX = 0.2


def get_config(choice: str = 'prosqa') -> ml_collections.ConfigDict:
  check_known(choice, TASKS, 'reason', 'task')
  task, (rows, first, stage, last) = TASKS[choice], BUDGETS.get(choice, BUDGET)
  source = data.fields(dict(kind='task', task=task | dict(
      first_examples=first * rows, stage_examples=stage * rows, mix=MIX)))
  asked = source['task']
  thoughts = asked.get('most') or asked['stages'] * asked['per_step']
  length = asked['question'] + thoughts + asked['rest']
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('latent', vocab=0, width=64, layers=1, ff=4.0, tie=True, remat='none', scan=False,
                         feed='feedback', question=asked['question'], thoughts=thoughts,
                         compose=dict(kind='attention', heads=4, window=length, conv=3), memory=dict(kind='none')),
      data=source,
      train=train.fields(steps=first + (task['stages'] - 1) * stage + last, rows=rows, length=length,
                         accumulate=ACCUMULATE, learning_rate=3e-3, warmup=100, evaluate_every=500, save_every=500),
      evaluate=train.evaluate_fields(rows=rows),
      reason=dict(problems=500, longest=asked['rest'], still=0.0, trail=0)))
