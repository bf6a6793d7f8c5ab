"""Needle in a haystack: trained on short texts, asked in long ones.

  python -m launch.train --config=configs/needle.py:mag
  python -m launch.evaluate --workdir=runs/needle --length=4096

After the colon: how memory and attention join (mag, mac, mal, plain) and, after a comma, the memory.
"""

import ml_collections

from latentmem import data, model, train


def get_config(choice: str = 'mag,titans') -> ml_collections.ConfigDict:
  join, _, memory = choice.partition(',')
  memory = memory or 'titans'
  remembers = dict(none={}, titans=dict(chunk=32, forget_to='start')).get(memory, dict(chunk=32))
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=-1, model=1),
      model=model.fields('decoder', vocab=0, width=128, layers=2, tie=False, remat='none', scan=False,
                         compose=dict(kind=join), memory=dict(kind=memory) | remembers),
      data=data.fields(dict(kind='task', task=dict(kind='needle', length=512))),
      train=train.fields(steps=3000, rows=16, length=512, learning_rate=2e-3, warmup=100, evaluate_every=500,
                         save_every=500),
      evaluate=train.evaluate_fields(rows=16)))
