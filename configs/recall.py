"""Associative recall by one memory and nothing else: what a layer remembers of pairs it has seen once.

  python -m launch.train --config=configs/recall.py:titans
  python -m launch.train --config=configs/recall.py:titans,pairs=64

The first has 16 pairs in 64 tokens, the second 64 pairs in 256. After the colon: any memory, and pairs=, length=,
rows=, steps=, lr= as wanted; every other field by its name, as in --config.model.memory.chunk=16.
On 2 cores, over 3 seeds: 16 pairs, 99.5 to 100.0 % of answers after 51 to 64 s of training; 64 pairs, 98.8 to 99.6 %
after 136 to 146 s (docs/results/recall-16-titans-one-chunk.json, recall-64-titans.json).
"""

import math

import ml_collections

from configs import _choices
from latentmem import data, memory, model, train

CHOICES = ('pairs', 'length', 'rows', 'steps', 'lr')


def get_config(choice: str = 'titans') -> ml_collections.ConfigDict:
  kind, *rest = choice.split(',')
  chosen = _choices.named(rest, CHOICES, 'recall')
  pairs = int(chosen.get('pairs', 16))
  length = int(chosen.get('length', 4 * pairs))
  rows = int(chosen.get('rows', max(1, 2048 // length)))
  remembers = memory.known_fields(kind, chunk=min(64, length), heads=1, head_width=64, expansion=2, forget_to='start',
                                  forget_start=0.001)
  # More than 16 pairs are not learned in one go: training mixes in examples that ask for them in smaller blocks.
  blocks = 1 if pairs <= 16 else math.gcd(pairs, length // 2, 16)
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('decoder', vocab=0, width=64, layers=2, ff=0.0, tie=False, remat='none',
                         scan=False,
                         compose=dict(kind='plain'),
                         memory=dict(kind=kind) | remembers),
      data=data.fields(dict(kind='task', task=dict(kind='recall', vocab=256, pairs=pairs, length=length,
                                                   blocks=blocks))),
      train=train.fields(steps=int(chosen.get('steps', 420 if pairs <= 16 else 1500)), rows=rows, length=length,
                         learning_rate=float(chosen.get('lr', 1e-2)), warmup=30, save_every=200, evaluate_every=100),
      evaluate=train.evaluate_fields(rows=rows)))
