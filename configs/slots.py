"""Questions of one to four hops over ten stored facts, by slots that reason before they answer.

  python -m launch.train --config=configs/slots.py:steps=3 --workdir=runs/hops-3
  python -m launch.train --config=configs/slots.py:none

After the colon, joined by commas: slots (the default), none, or any memory; and steps= (R), rows=, train= and lr= as
wanted. There is no attention, and the question comes in a later chunk than the facts: what is not in the memory is
gone. Chance is one of nine (`tasks.hops`).
"""

import ml_collections

from configs import _choices
from latentmem import data, memory, model, train

CHOICES = ('steps', 'rows', 'train', 'lr')
LINKS, HOPS, QUESTIONS, GAP = 10, 4, 8, 4
LENGTH = 2 * LINKS + GAP + 2 * QUESTIONS


def get_config(choice: str = 'slots') -> ml_collections.ConfigDict:
  kind, chosen = _choices.memory_and_named(choice, 'slots', CHOICES, 'slots')
  rows = int(chosen.get('rows', 32))
  # A slot for every fact, and a chunk opens as many as it has room for facts; questions open none. A convolution sees a
  # fact, and not a piece of the one before it. Each step's gate starts a little lower than the one's before it.
  remembers = memory.known_fields(kind, chunk=LINKS, heads=1, latent=64, inner=16, slots=LINKS, opened=LINKS // 2,
                                  conv=2, steps=int(chosen.get('steps', 3)), keep_falls=0.8, policy='keep',
                                  compete='tokens')
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('decoder', vocab=0, width=32, layers=1, ff=0.0, tie=False, remat='none', scan=False,
                         compose=dict(kind='plain'), memory=dict(kind=kind) | remembers),
      data=data.fields(dict(kind='task', task=dict(kind='hops', entities=64, rings=1, links=LINKS, hops=HOPS,
                                                   questions=QUESTIONS, gap=GAP, fewest=1))),
      train=train.fields(steps=int(chosen.get('train', 2000)), rows=rows, length=LENGTH,
                         learning_rate=float(chosen.get('lr', 3e-3)), warmup=50, save_every=1000, evaluate_every=500),
      evaluate=train.evaluate_fields(rows=rows)))
