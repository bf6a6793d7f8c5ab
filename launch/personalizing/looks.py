"""What is left for the eye of a run with slots: slots.json, which the report draws."""

import jax
import numpy as np

from latentmem.base import records
from latentmem.personal import look
from latentmem.study import slots
from launch.personalizing import wording

# People whose slots are on the map: more would hide one another.
PEOPLE = 12


def write(run: records.Run, arm, params: dict, frozen: dict) -> None:
  """Writes slots.json; a run without slots has nothing to look at."""
  tables = params['params']['personal']
  if 'slots' not in tables.get('personal', {}):
    return
  prompt_UHND = look.alone(tables['shared'], tables['personal']['slots'][:PEOPLE])
  token_HN1, cosine_HN1 = look.nearest(prompt_UHND[0], frozen['base']['embed'], 1)
  people, _, _, width = prompt_UHND.shape
  method, flat_S2 = slots.flat(np.asarray(prompt_UHND).reshape(-1, width))
  run.write('slots.json', dict(
      map=dict(method=method, points=flat_S2.reshape(people, -1, 2)),
      words=dict(words=[[wording.spoken(token) for token in row] for row in token_HN1], cosines=cosine_HN1[..., 0]),
      attention=attention(arm, params | frozen)))


def attention(arm, variables: dict) -> dict:
  """Where the first training question of each type looks, asked of the first person."""
  asks, rng, found = arm.source.asks, np.random.default_rng(0), {}
  for _ in range(200):
    question = asks.ask(asks.person(0), rng, True)
    found.setdefault(question.kind, asks.example(0, question).tokens_T)
  given = jax.jit(lambda variables, rows: arm.model.apply(variables, rows, method='given').looks)
  return dict(questions=list(found), share=given(variables, np.stack(list(found.values())))['attention_BHN'])
