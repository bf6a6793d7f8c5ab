"""Two agents that each saw a half of the scenes, and one that is asked, over a bank; they share no more than that.

B rows, S tokens of a scene, Q of its questions.
"""

import numpy as np

from latentmem.bank.store import Bank
from latentmem.base.errors import InputError
from latentmem.session.shared import Shared

TIMES = ('2000-01-01T00:00:00', '2000-01-01T00:00:01')


def answered(folder, model, params, source, fingerprint: str, scenes: int = 256) -> dict:
  """Shares of right answers, from a bank that is left in `folder`.

  Returns:
    half: After the first agent alone has written.
    merged: After the second has written too, to slots of its own, having read before the first wrote.
    refused: What the second is told where it writes to the first one's slots, by the rule 'refuse'.
    newest: After it has written to them by the rule 'newest', so that the first one's half is gone.
  """
  batch = next(iter(source.heldout(scenes, source.asks.length)))
  scene_BS, asked_BQ = np.split(batch['tokens_BT'], [model.scene], axis=1)
  halves, room = np.split(scene_BS, 2, axis=1), model.reasoning['memory']['slots'] // 2
  right = lambda shared: _right(shared, asked_BQ, batch, model.scene)
  found, bank = {}, Bank(folder)
  for name in ('apart', 'together'):
    if name in bank.list():
      bank.forget(name)
    first, second, asked = (Shared(bank, name, model, params, fingerprint) for _ in range(3))
    had = second.read()
    first.write(first.see(halves[0], 0), when=TIMES[0])
    if name == 'apart':
      found['half'] = right(asked)
      second.write(second.see(halves[1], room), had, when=TIMES[1])
      found['merged'] = right(asked)
      continue
    message = second.see(halves[1], 0)
    try:
      second.write(message, had, when=TIMES[1])
    except InputError as error:
      found['refused'] = str(error)
    second.write(message, had, rule='newest', when=TIMES[1])
    found['newest'] = right(asked)
  return dict(found, asked=int((batch['weights_BT'] > 0).sum()))


def _right(shared, asked_BQ, batch, scene: int) -> float:
  predicted_BQ = np.asarray(shared.answer(asked_BQ)).argmax(-1)
  weights_BQ = batch['weights_BT'][:, scene:] > 0
  return float((predicted_BQ == batch['targets_BT'][:, scene:])[weights_BQ].mean())
