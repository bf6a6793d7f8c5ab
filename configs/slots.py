"""Questions of one to four hops over 16 stored facts, by slots that reason before they answer.

  python -m launch.train --config=configs/slots.py:steps=3 --workdir=runs/hops
  python -m launch.train --config=configs/slots.py:none

After the colon, joined by commas: slots (the default), none, or any memory; and steps= (R), rows=, train=, lr= as
wanted. There is no attention: what is not in the memory is gone.
"""

import ml_collections

from latentmem import data, memory, model, tasks, train
from latentmem.base.errors import check_known

CHOICES = ('steps', 'rows', 'train', 'lr')


def get_config(choice: str = 'slots') -> ml_collections.ConfigDict:
  chosen = [each.partition('=')[::2] for each in choice.split(',')]
  kind = next((name for name, value in chosen if not value), 'slots')
  chosen = {name: value for name, value in chosen if value}
  for name in chosen:
    check_known(name, CHOICES, 'slots', 'choice')
  rows = int(chosen.get('rows', 64))
  task = tasks.fields('hops', rings=2, links=8, hops=4, questions=8)
  length = 2 * 16 + 2 * 8
  remembers = memory.known_fields(kind, chunk=8, heads=1, slots=32, opened=4, steps=int(chosen.get('steps', 3)),
                                  compete='tokens', policy='keep')
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('decoder', vocab=0, width=64, layers=1, ff=0.0, tie=False, remat='none', scan=False,
                         compose=dict(kind='plain'), memory=dict(kind=kind) | remembers),
      data=data.fields(dict(kind='task', task=task)),
      train=train.fields(steps=int(chosen.get('train', 3000)), rows=rows, length=length,
                         learning_rate=float(chosen.get('lr', 3e-3)), warmup=50, save_every=1000, evaluate_every=200),
      evaluate=train.evaluate_fields(rows=rows)))
