"""Scenes: answers are what the sightings tell, and tell nothing of themselves to who has not seen them."""

import collections

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import scenes

FIELDS = [dict(), dict(objects=3, colours=3, grid=4, questions=12), dict(types='side', questions=2),
          dict(objects=8, colours=8, grid=6)]


def seen(task, tokens):
  """{(moment, colour): (shape, size, column, row)} of a row's sightings, and its questions."""
  words = [task.words[t] for t in tokens]
  sightings = [words[i:i + 6] for i in range(0, task.scene, 6)]
  found = {(m, c): (shape, size, int(column.partition('-')[2]), int(row.partition('-')[2]))
           for m, c, shape, size, column, row in sightings}
  assert len(found) == len(sightings) == 2 * task.objects
  assert all(words[i].startswith('column-') and words[i + 1].startswith('row-') for i in range(4, task.scene, 6))
  return found, [tuple(words[i:i + 3]) for i in range(task.scene, task.length, 3)]


def sides(dx, dy):
  """Every side that one could mean, by the longer axis."""
  ways = dict(left=(-dx, dy), right=(dx, dy), above=(-dy, dx), below=(dy, dx))
  return {name for name, (along, across) in ways.items() if along > 0 and along >= abs(across)}


def answers_of(found, question, grid):
  """Every answer that one could give, from the sightings alone."""
  type_, one, other = question
  if type_ == 'count':
    return {str(sum(one in look for (m, _), look in found.items() if m == 'first'))}
  if type_ == 'what':
    return {found['first', one][('shape', 'size').index(other)]}
  here = found['then' if type_ == 'later' else 'first', one]
  if type_ == 'half':
    return {'left' if here[2] < grid / 2 else 'right'}
  there = found['then', one] if type_ == 'went' else found['then' if type_ == 'later' else 'first', other]
  dx, dy = there[2] - here[2], there[3] - here[3]
  if type_ == 'went':
    return sides(dx, dy) or {'stayed'}
  return sides(-dx, -dy)


@pytest.mark.parametrize('fields', FIELDS, ids=str)
def test_the_answer_is_what_the_scene_tells_and_no_other(fields):
  task = tasks.make('scenes', **fields)
  for i in range(60):
    tokens, targets, weights = task.draw(np.random.default_rng(i))
    found, questions = seen(task, tokens)
    places = collections.Counter((m, *look[2:]) for (m, _), look in found.items())
    assert set(places.values()) == {1}, 'no two objects in one place'
    assert np.flatnonzero(weights).tolist() == list(range(task.scene + 2, task.length, 3))
    for i, (question, target) in enumerate(zip(questions, targets[weights > 0])):
      assert question[0] == task.types[i % len(task.types)]
      assert answers_of(found, question, task.grid) == {task.words[target]}


def test_what_is_asked_tells_nothing_of_the_answer():
  """The best answer to a question, given all questions of its row alone, is right as often as any other."""
  task, told = tasks.make('scenes', objects=2, colours=2, grid=4), collections.defaultdict(collections.Counter)
  rng = np.random.default_rng(0)
  for _ in range(6000):
    _, asked = task.drawn(rng)
    around = tuple((each.type, each.about) for each in asked if each.type in ('side', 'later', 'went'))
    for each in asked:
      told[each.type, each.about, around][each.answer] += 1
  by_type = collections.defaultdict(list)
  for (type_, *_), counts in told.items():
    n, share = sum(counts.values()), task.chances[type_]
    # Chi-square over the answers there are: its mean is their number less one, its variance twice that.
    by_type[type_].append((sum((counts[a] - n * share) ** 2 / (n * share) for a in counts)
                           + (round(1 / share) - len(counts)) * n * share, round(1 / share) - 1))
  assert set(by_type) == set(scenes.TYPES)
  for type_, found in by_type.items():
    off, free = np.sum(found, 0)
    assert off < free + 5 * np.sqrt(2 * free), f'{type_}: {off:.0f} with {free} degrees of freedom'


def test_training_scenes_may_have_fewer_objects_and_held_out_ones_never():
  task = tasks.make('scenes', fewest=2, objects=4)
  sizes = []
  for i in range(150):
    tokens, targets, weights = task.draw_at(np.random.default_rng(i), i)
    sightings = tokens[:task.scene].reshape(-1, 6)
    there = sightings[sightings[:, 0] != task.words.index('?')]
    assert (sightings == task.words.index('?')).all(1).sum() == len(sightings) - len(there)
    sizes.append(len(there) // 2)
    fewer = tasks.make('scenes', objects=sizes[-1], colours=task.colours)
    words = [task.words[t] for t in (*there.ravel(), *tokens[task.scene:])]
    found, questions = seen(fewer, [fewer.words.index(word) for word in words])
    for question, target in zip(questions, targets[weights > 0]):
      assert answers_of(found, question, task.grid) == {task.words[target]}
  # Five standard errors of a third.
  assert np.abs(np.bincount(sizes, minlength=5)[2:] / 150 - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 150)
  assert not (task.hardest().draw(np.random.default_rng(0)).tokens_T[:task.scene] == task.words.index('?')).any()


def test_scores_are_told_by_type_over_batches_that_cut_a_question():
  task = tasks.make('scenes', questions=12)
  tokens, targets, weights = (np.stack(a) for a in zip(*(task.draw(np.random.default_rng(i)) for i in range(3))))
  predicted, ends = targets.copy(), np.flatnonzero(weights[0])
  predicted[0, ends[1]] = predicted[1, ends[7]] = predicted[2, ends[9]] = -1  # side, side, went
  scorer = task.scorer()
  for cut in (slice(0, 53), slice(53, None)):
    reset = np.zeros(tokens[:, cut].shape, bool)
    reset[:, 0] = cut.start == 0
    batch = dict(tokens_BT=tokens[:, cut], targets_BT=targets[:, cut], weights_BT=weights[:, cut], reset_BT=reset)
    scorer.add(batch, np.zeros(reset.shape), predicted[:, cut])
  result = task.scorer().merge(scorer.totals()).result()
  assert [result[f'accuracy_{each}'] for each in scenes.TYPES] == [1, 4 / 6, 1, 5 / 6, 1, 1]
  assert result['accuracy'] == 33 / 36 and result['chance'] == pytest.approx((.5 + .25 + .25 + .2 + .2 + .5) / 6)
  assert task.scorer().result()['accuracy_side'] is None


@pytest.mark.parametrize('fields, says', [
    (dict(objects=1), 'objects=1'), (dict(objects=5, colours=4), 'colours=4'), (dict(colours=9), 'colours=9'),
    (dict(grid=3), 'grid=3'), (dict(grid=2), 'grid=2'), (dict(questions=7), 'questions=7'),
    (dict(questions=30), 'questions=30'), (dict(fewest=5), 'fewest=5'),
    (dict(fewest=1), 'objects=1'),
    (dict(types='sides'), "did you mean 'side'")])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('scenes', **fields)
