"""Accuracy of answers: by token, and by example, which is right when all its tokens are."""

import numpy as np

from latentmem.tasks import interface


class Answers(interface.Scorer):
  """`accuracy` of scored tokens, `exact` share of examples answered without a mistake, `loss` in nats a token.

  The targets stand in the input (teacher forcing), so an example is exact if and only if greedy decoding would write
  its answer: the first mistake is a mistake in both.

  An example may run over several batches of the same rows; it is judged when its row resets, or at the end.
  """

  def __init__(self):
    super().__init__()
    self._asked_B = self._wrong_B = np.zeros(0)

  def add(self, batch, nats_BT, predicted_BT=None):
    weights_BT = np.asarray(batch['weights_BT'])
    asked_BT = weights_BT > 0
    wrong_BT = asked_BT & (np.asarray(predicted_BT) != np.asarray(batch['targets_BT']))
    self.count(tokens=asked_BT.sum(), wrong=wrong_BT.sum(),
               nats=np.where(asked_BT, np.asarray(nats_BT, np.float64), 0).sum())
    if len(self._asked_B) != len(asked_BT):
      self._settle(slice(None))
      self._asked_B, self._wrong_B = np.zeros((2, len(asked_BT)))
    reset_BT = np.asarray(batch['reset_BT'])
    edges = [0, *(np.flatnonzero(reset_BT[:, 1:].any(0)) + 1), reset_BT.shape[1]]
    for start, stop in zip(edges[:-1], edges[1:]):
      self._settle(reset_BT[:, start])
      self._asked_B += asked_BT[:, start:stop].sum(1)
      self._wrong_B += wrong_BT[:, start:stop].sum(1)

  def _settle(self, rows):
    """Judges what the rows hold, and empties them."""
    asked_B, wrong_B = self._asked_B[rows], self._wrong_B[rows]
    self.count(examples=(asked_B > 0).sum(), exact=((asked_B > 0) & (wrong_B == 0)).sum())
    self._asked_B[rows] = self._wrong_B[rows] = 0

  def totals(self):
    self._settle(slice(None))
    return super().totals()

  def result(self):
    """accuracy, exact (0 to 1), loss (nats a scored token), examples, tokens (how many were scored)."""
    n = dict.fromkeys(('tokens', 'wrong', 'nats', 'examples', 'exact'), 0) | self.totals()
    return dict(accuracy=interface.ratio(n['tokens'] - n['wrong'], n['tokens']),
                exact=interface.ratio(n['exact'], n['examples']), loss=interface.ratio(n['nats'], n['tokens']),
                examples=int(n['examples']), tokens=int(n['tokens']))
