"""Accuracy by question type, whole or in pieces."""

import numpy as np

from latentmem import tasks
from latentmem.tasks import choices
from latentmem.tasks import persona_words as words
from latentmem.tasks.persona_questions import TYPES


def batch_of(task, rows=6):
  examples = [task.draw(np.random.default_rng(i)) for i in range(rows)]
  tokens, targets, weights = (np.stack(a) for a in zip(*examples))
  reset = np.zeros(tokens.shape, bool)
  reset[:, 0] = True
  return dict(tokens_BT=tokens, targets_BT=targets, weights_BT=weights, reset_BT=reset, position_BT=tokens)


def counted(batch, predicted):
  """right and asked by type, in a loop."""
  out = {}
  for tokens, targets, weights, said in zip(batch['tokens_BT'], batch['targets_BT'], batch['weights_BT'], predicted):
    kind = None
    for t in range(len(tokens)):
      if tokens[t - 1] == words.NUMBER[words.QUESTION] and t:
        kind = TYPES[choices.OPENING[tokens[t]]]
      if weights[t]:
        right, asked = out.get(kind, (0, 0))
        out[kind] = right + (said[t] == targets[t]), asked + 1
  return {kind: dict(accuracy=right / asked, asked=asked) for kind, (right, asked) in out.items()}


def test_by_type_is_what_a_loop_counts():
  for kind, fields in (('persona', {}), ('persona_context', dict(questions=11))):
    task = tasks.make(kind, **fields)
    batch = batch_of(task, 20)
    predicted = np.where(np.random.default_rng(0).random(batch['targets_BT'].shape) < 0.5, batch['targets_BT'], 0)
    scorer = task.scorer()
    scorer.add(batch, np.zeros(predicted.shape), predicted)
    result = scorer.result()
    assert result['by_type'] == counted(batch, predicted) and len(result['by_type']) >= 4
    asked = sum(found['asked'] for found in result['by_type'].values())
    assert asked == result['tokens'] == batch['weights_BT'].sum()


def test_pieces_are_scored_as_wholes():
  task = tasks.make('persona_context')
  batch = batch_of(task)
  rng = np.random.default_rng(1)
  predicted = np.where(rng.random(batch['targets_BT'].shape) < 0.5, batch['targets_BT'], 0)
  whole = task.scorer()
  whole.add(batch, np.zeros(predicted.shape), predicted)
  for size in (29, 333):
    pieces = task.scorer()
    for start in range(0, task.length, size):
      part = slice(start, start + size)
      piece = {name: a[:, part] for name, a in batch.items()}
      pieces.add(piece, np.zeros(piece['targets_BT'].shape), predicted[:, part])
    assert pieces.result() == whole.result()


def test_scorers_add_up_and_nothing_asked_is_nothing():
  task = tasks.make('persona')
  scorers = [task.scorer(), task.scorer()]
  for scorer, rows in zip(scorers, (5, 8)):
    batch = batch_of(task, rows)
    scorer.add(batch, np.zeros(batch['targets_BT'].shape), batch['targets_BT'])
  both = scorers[0].merge(scorers[1].totals()).result()
  assert both['tokens'] == 13 and sum(found['asked'] for found in both['by_type'].values()) == 13
  assert task.scorer().result()['by_type'] == {} and task.scorer().result()['accuracy'] is None
