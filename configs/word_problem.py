"""Following the product in a group: what a state can do that attention cannot.

  python -m launch.train --config=configs/word_problem.py:full --workdir=runs/s5
  python -m launch.evaluate --workdir=runs/s5 --length=32,64,128,256

After the colon: full or input (`token_state` of that recurrence), attention (attention alone), or any other memory.
Trained on S5, two generators, lengths that grow to 32 over the first 400 steps.
"""

import ml_collections

from latentmem import data, memory, model, train

ROWS = 64


def get_config(kind: str = 'full') -> ml_collections.ConfigDict:
  # All but 'full' have more room to make up for what they cannot follow.
  room = dict(width=64, layers=1, ff=0.0) if kind == 'full' else dict(width=128, layers=2, ff=4.0)
  compose, held = dict(kind='plain'), dict(kind=kind)
  if kind == 'attention':
    compose, held = dict(kind='attention', heads=4, context=256), dict(kind='none')
  elif kind in ('full', 'input'):
    # A state that is quick to forget learns to be replaced at every token, which is what a product asks of it.
    held = dict(kind='token_state', recurrence=kind, state=128, kept=0, chunk=32, forget_start=0.3)
  else:
    held |= memory.known_fields(kind, chunk=32, heads=4)
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('decoder', vocab=0, tie=False, remat='none', scan=False, compose=compose, memory=held, **room),
      data=data.fields(dict(kind='task', task=dict(kind='word_problem', length=32, inputs='generators',
                                                   grow=400 * ROWS))),
      train=train.fields(steps=4000, rows=ROWS, length=32, learning_rate=3e-3, warmup=50, final=0.02,
                         evaluate_every=500, save_every=1000),
      evaluate=train.evaluate_fields(rows=64)))
