"""What is left for the eye of a run with slots: slots.json, which the report draws."""

import jax
import numpy as np

from latentmem.base import records
from latentmem.personal import look
from latentmem.study import slots

# People whose slots are on the map: more would hide one another.
PEOPLE = 12


def write(run: records.Run, arm, params: dict, frozen: dict, spoken, asked: dict) -> None:
  """Writes slots.json; a run without slots has nothing to look at.

  Args: spoken: A token to its text. asked: By type, rows whose questions are looked at.
  """
  tables = params['params']['personal']
  if 'slots' not in tables.get('personal', {}):
    return
  added_UHND = look.alone(tables['shared'], tables['personal']['slots'][:PEOPLE])
  token_HN1, cosine_HN1 = look.nearest(added_UHND[0], frozen['base']['embed'], 1)
  people, _, _, width = added_UHND.shape
  method, flat_S2 = slots.flat(np.asarray(added_UHND).reshape(-1, width))
  run.write('slots.json', dict(
      map=dict(method=method, points=flat_S2.reshape(people, -1, 2)),
      words=dict(words=[[spoken(*tokens) for tokens in row] for row in token_HN1.tolist()], cosines=cosine_HN1[..., 0]),
      attention=attention(arm, params | frozen, asked)))


def attention(arm, variables: dict, asked: dict) -> dict:
  """Where questions look."""
  given = jax.jit(lambda variables, rows: arm.model.apply(variables, rows, method='given').looks)
  return dict(questions=list(asked), share=given(variables, np.stack(list(asked.values())))['attention_BHN'])
