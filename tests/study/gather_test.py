"""Runs are gathered whole, and only such as may stand in one table."""

import datetime
import json

import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.study import gather

DAY = datetime.date(2026, 1, 2)


def finished(path, norms=(1.0, 3.0, 2.0), **changed):
  run = records.create(path, dict(seed=0))
  for step, norm in enumerate(norms, 1):
    run.append(step, 'train', loss=norm, grad_norm=norm)
  run.write('result.json', dict(heldout=dict(accuracy=0.5), seconds=7.0, commit='abc', machine='here', versions={},
                                data={}) | changed)
  return str(path)


def test_a_record_has_an_entry_a_run_and_what_they_share(tmp_path):
  record = gather.gather([finished(tmp_path / 'a'), finished(tmp_path / 'b', norms=(1.0, float('nan')))],
                         'train it', 'alone', DAY)
  shared = tuple(record[name] for name in ('command', 'date', 'commit', 'note'))
  assert shared == ('train it', '2026-01-02', 'abc', 'alone')
  assert [score['name'] for score in record['scores']] == ['a', 'b']
  assert record['scores'][0]['gradient'] == dict(largest=3.0, median=2.0, non_finite=0)
  assert record['scores'][1]['gradient']['non_finite'] == 1


def test_what_was_evaluated_comes_along(tmp_path):
  path = finished(tmp_path / 'a')
  told = dict(step=3, overrides={'data.task.length': '9'}, heldout=dict(accuracy=0.25))
  (tmp_path / 'a' / 'evaluations').mkdir()
  (tmp_path / 'a' / 'evaluations' / 'long.json').write_text(json.dumps(told | dict(versions={})))
  assert gather.gather([path], '', '', DAY)['scores'][0]['evaluations'] == [told]


def test_what_was_answered_comes_along(tmp_path):
  path = finished(tmp_path / 'a')
  (tmp_path / 'a' / 'answers.json').write_text(json.dumps(dict(right=3)))
  (tmp_path / 'a' / 'dialogue.json').write_text(json.dumps(dict(right=5)))
  score, = gather.gather([path], '', '', DAY)['scores']
  assert score['answers'] == dict(right=3) and score['dialogue'] == dict(right=5) and 'knock_outs' not in score


def test_runs_of_two_commits_are_refused(tmp_path):
  with pytest.raises(InputError, match='differ in commit'):
    gather.gather([finished(tmp_path / 'a'), finished(tmp_path / 'b', commit='def')], '', '', DAY)


def test_a_run_that_has_not_ended_is_refused(tmp_path):
  records.create(tmp_path / 'a', {})
  with pytest.raises(InputError, match='has not ended'):
    gather.gather([tmp_path / 'a'], '', '', DAY)


def test_no_runs_are_refused():
  with pytest.raises(InputError, match='no run'):
    gather.gather([], '', '', DAY)
