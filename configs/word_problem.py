"""Following the product in a group: what a state can do that attention cannot.

  python -m launch.train --config=configs/word_problem.py:full --workdir=runs/s5
  python -m launch.evaluate --workdir=runs/s5 --length=32,64,128,256

After the colon: full or input (`token_state` of that recurrence), attention (attention alone), or any other memory.
Trained on S5, two generators, every length up to 32.
"""

import ml_collections

from latentmem import data, memory, model, train


def get_config(kind: str = 'full') -> ml_collections.ConfigDict:
  if kind == 'attention':
    compose, held = dict(kind='attention', heads=4), dict(kind='none')
  else:
    state = dict(kind='token_state', recurrence=kind, state=128, kept=0, chunk=32) if kind in ('full', 'input') else (
        dict(kind=kind) | memory.known_fields(kind, chunk=32, heads=4))
    compose, held = dict(kind='plain'), state
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=-1, model=1),
      model=model.fields('decoder', vocab=0, width=128, layers=1, ff=4.0, tie=False, remat='none', scan=False,
                         compose=compose, memory=held),
      data=data.fields(dict(kind='task', task=dict(kind='word_problem', length=32, inputs='generators'))),
      train=train.fields(steps=2000, rows=64, length=32, learning_rate=3e-3, warmup=50, evaluate_every=200,
                         save_every=500),
      evaluate=train.evaluate_fields(rows=64)))
