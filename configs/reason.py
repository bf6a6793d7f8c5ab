"""Thinking between question and answer: small models from scratch, every arm on the same problems.

  python -m launch.reason --config=configs/reason.py:prosqa --arms=cot,no_cot,none,pause,feedback,stream,state --seeds=3

After the colon: prosqa, matched (its options equally far), prontoqa or arithmetic. One arm alone is a run like others:
python -m launch.train --config=configs/reason.py:prosqa learns `feedback`.
"""

import ml_collections

from latentmem import data, model, train
from latentmem.base.errors import check_known

TASKS = dict(
    prosqa=dict(kind='prosqa', hops=(3, 4), stages=4),
    matched=dict(kind='prosqa', hops=(3, 4), stages=4, matched=True),
    prontoqa=dict(kind='prontoqa', stages=5),
    arithmetic=dict(kind='arithmetic', stages=3),
)
STEPS, ROWS = 3000, 64


def get_config(choice: str = 'prosqa') -> ml_collections.ConfigDict:
  check_known(choice, TASKS, 'reason', 'task')
  task = TASKS[choice]
  # The last stage gets as many examples as two others.
  source = data.fields(dict(kind='task', task=task | dict(stage_examples=STEPS * ROWS // (task['stages'] + 2))))
  rows = source['task']
  thoughts = rows['stages'] * rows['per_step']
  length = rows['question'] + thoughts + rows['rest']
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=-1, model=1),
      model=model.fields('latent', vocab=0, width=64, layers=2, ff=4.0, tie=False, remat='none', scan=False,
                         feed='feedback', question=rows['question'], thoughts=thoughts,
                         compose=dict(kind='attention', heads=4, window=length), memory=dict(kind='none')),
      data=source,
      train=train.fields(steps=STEPS, rows=ROWS, length=length, learning_rate=1e-3, warmup=100,
                         evaluate_every=500, save_every=500),
      evaluate=train.evaluate_fields(rows=ROWS),
      reason=dict(problems=500, longest=rows['rest'], still=0.0, trail=0)))
