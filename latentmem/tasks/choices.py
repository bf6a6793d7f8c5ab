"""Accuracy of questions with four options, by type."""

import numpy as np

from latentmem.tasks import answers, interface
from latentmem.tasks import persona_words as words
from latentmem.tasks.persona_questions import OPENING, TYPES


class Choices(answers.Answers):
  """`answers.Answers`, and accuracy and number by question type.

  A question's type is told by the word after its <question>, so a batch needs its tokens_BT too. A question that runs
  over two batches of the same rows keeps its type.
  """

  def __init__(self):
    super().__init__()
    self._opened_B = self._type_B = np.zeros(0, int)

  def add(self, batch, nats_BT, predicted_BT=None):
    super().add(batch, nats_BT, predicted_BT)
    tokens_BT, asked_BT = np.asarray(batch['tokens_BT']), np.asarray(batch['weights_BT']) > 0
    right_BT = np.asarray(predicted_BT) == np.asarray(batch['targets_BT'])
    type_BT = self._types(tokens_BT)
    for i in range(len(TYPES)):
      here_BT = asked_BT & (type_BT == i)
      self.count(**{f'asked_{i}': here_BT.sum(), f'right_{i}': (here_BT & right_BT).sum()})

  def _types(self, tokens_BT):
    """Of the question that each place belongs to; -1 before the first."""
    if len(self._type_B) != len(tokens_BT):
      self._opened_B, self._type_B = np.zeros(len(tokens_BT), bool), np.full(len(tokens_BT), -1)
    opens_BT = tokens_BT == words.NUMBER[words.QUESTION]
    after_BT = np.concatenate([self._opened_B[:, None], opens_BT[:, :-1]], axis=1)
    kind_of = np.full(len(words.WORDS), -1)
    kind_of[list(OPENING)] = list(OPENING.values())
    inside_BT = np.where((0 <= tokens_BT) & (tokens_BT < len(kind_of)), tokens_BT, 0)
    last_BT = np.maximum.accumulate(np.where(after_BT, np.arange(tokens_BT.shape[1]), -1), axis=1)
    type_BT = np.where(last_BT >= 0, np.take_along_axis(kind_of[inside_BT], np.maximum(last_BT, 0), axis=1),
                       self._type_B[:, None])
    self._opened_B, self._type_B = opens_BT[:, -1], type_BT[:, -1]
    return type_BT

  def result(self):
    """As `answers.Answers`, and by_type: accuracy and asked of each type that was asked."""
    n = self.totals()
    return super().result() | dict(by_type={
        kind: dict(accuracy=interface.ratio(n[f'right_{i}'], n[f'asked_{i}']), asked=int(n[f'asked_{i}']))
        for i, kind in enumerate(TYPES) if n.get(f'asked_{i}')})
