"""Two models that share nothing but slots: one sees a scene, the other is asked about it.

  python -m launch.share --config=configs/share.py --arms=slots,halves,text,none --seeds=3 --workdir=runs/share
  python -m launch.train --config=configs/share.py --workdir=runs/pair

After the colon, joined by commas: objects= (up to 6), bits= (of a number of a slot), rows=, steps= and lr= as wanted.
Training scenes have two objects or more, held-out ones all. Whoever has not seen a scene of four objects is right in
31.7 % of the answers (`tasks.scenes`). Slots reached 100 % with three seeds, words of as many bits 50 %
(docs/results/share-scenes.json).
"""

import ml_collections

from configs import _choices
from latentmem import data, model, train

CHOICES = ('objects', 'bits', 'rows', 'steps', 'lr')
SIGHTING, QUESTION, QUESTIONS, WIDTH, LATENT, HEADS = 6, 3, 6, 64, 64, 2


def get_config(choice: str = '') -> ml_collections.ConfigDict:
  chosen = _choices.named(filter(None, choice.split(',')), CHOICES, 'share')
  objects, rows = int(chosen.get('objects', 4)), int(chosen.get('rows', 32))
  scene, asked = 2 * objects * SIGHTING, QUESTION * QUESTIONS
  # A slot for each sighting, each from its own share of the tokens at first; a convolution sees a whole sighting.
  sees = dict(slots=2 * objects, opened=2 * objects, chunk=scene, conv=SIGHTING, steps=0)
  asks = dict(slots=2 * objects, opened=0, chunk=asked, conv=QUESTION, steps=3)
  agent = lambda remembers: dict(
      kind='decoder', width=WIDTH, layers=1, ff=2.0, tie=False, remat='none', scan=False, compose=dict(kind='plain'),
      memory=dict(kind='slots', latent=LATENT, heads=HEADS, policy='keep', compete='tokens') | remembers)
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('sharing', vocab=0, scene=scene, bits=int(chosen.get('bits', 2)), words=256,
                         perception=agent(sees), reasoning=agent(asks)),
      data=data.fields(dict(kind='task', task=dict(kind='scenes', objects=objects, colours=objects + 2,
                                                   fewest=min(2, objects), questions=QUESTIONS))),
      train=train.fields(steps=int(chosen.get('steps', 3000)), rows=rows, length=scene + asked,
                         learning_rate=float(chosen.get('lr', 3e-3)), warmup=100, evaluate_every=500, save_every=500),
      evaluate=train.evaluate_fields(rows=rows)))
