"""Sums are right, and files in the format of GSM8K are read as they are written."""

import json
import os
import pathlib

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import chains

RECORD = dict(question='Ann has 48 clips and sells half. What is left, and 1,000 more?',
              answer='She sells 48/2 = <<48/2=24>>24.\nThen <<24+1000=1024>>1,024.\n#### 1,024')


def said(tokens):
  return bytes(t - len(chains.SPECIAL) for t in tokens).decode()


def file_of(tmp_path, *records, name='sums.jsonl'):
  path = tmp_path / name
  path.write_text('\n'.join(json.dumps(record) for record in records))
  return str(path)


@pytest.mark.parametrize('seed', range(10))
def test_a_drawn_sum_is_worked_step_by_step(seed):
  task = tasks.make('arithmetic', steps=4, largest=50)
  problem = task.problem(np.random.default_rng(seed))
  first, *moves = said(problem.question).replace(',', '').split()
  value, steps = int(first), [said(step) for step in problem.steps]
  assert len(steps) == len(moves) // 2 == 4
  for sign, n, step in zip(moves[::2], moves[1::2], steps):
    result = eval(f'{value}{sign}{n}')
    assert step == f'<<{value}{sign}{n}={result}>>' and 0 <= result <= 50
    value = result
  assert said(problem.answer) == str(value)


def test_a_file_is_read_as_it_is_written(tmp_path):
  path = file_of(tmp_path, RECORD)
  task = tasks.make('arithmetic', question=100, heldout_file=path)
  problem, = task.problems(heldout=True)
  assert said(problem.question) == RECORD['question']
  assert [said(step) for step in problem.steps] == ['<<48/2=24>>', '<<24+1000=1024>>']
  assert said(problem.answer) == '1024'
  assert task.problem(np.random.default_rng(0), heldout=True) == problem
  assert task.problem(np.random.default_rng(0)) != problem


def test_a_tenth_of_a_file_is_held_out_whatever_its_order(tmp_path):
  records = [RECORD | dict(question=f'Number {i}?') for i in range(200)]
  task = tasks.make('arithmetic', file=file_of(tmp_path, *records))
  again = tasks.make('arithmetic', file=file_of(tmp_path, *records[::-1], name='turned.jsonl'))
  held, kept = ([said(p.question) for p in task.problems(heldout)] for heldout in (True, False))
  assert len(held) + len(kept) == 200 and not set(held) & set(kept) and 8 <= len(held) <= 35
  assert sorted(said(p.question) for p in again.problems(True)) == sorted(held)


def test_what_is_drawn_for_training_is_never_held_out(tmp_path):
  task = tasks.make('arithmetic', steps=1)
  seen = {heldout: {said(task.problem(np.random.default_rng(seed), heldout).question) for seed in range(300)}
          for heldout in (False, True)}
  assert len(seen[True]) > 5 and len(seen[False]) > 50 and not seen[True] & seen[False]


def test_held_out_problems_of_a_file_come_once_and_in_order(tmp_path):
  records = [RECORD | dict(question=f'Number {i}?') for i in range(8)]
  task = tasks.make('arithmetic', heldout_file=file_of(tmp_path, *records))
  assert [said(p.question) for p in task.heldout_problems(5)] == [f'Number {i}?' for i in range(5)]
  assert len(task.heldout_problems(50)) == 8


def test_what_is_too_long_is_left_out_and_a_file_of_nothing_else_refused(tmp_path):
  path = file_of(tmp_path, RECORD, RECORD | dict(question='Short?'))
  task = tasks.make('arithmetic', heldout_file=path)
  assert [said(p.question) for p in task.problems(heldout=True)] == ['Short?'] and task.left_out == 1
  assert tasks.make('arithmetic').left_out == tasks.make('arithmetic', heldout_file=path, question=99).left_out == 0
  with pytest.raises(InputError, match=r'None of the 2 problems of .* fits question=5, rest=64'):
    tasks.make('arithmetic', heldout_file=path, question=5).problems(heldout=True)


@pytest.mark.parametrize('text, message', [
    ('{"question": "a"', 'line 1 is not JSON'),
    ('3', 'line 1: this is a int, not a dict'), ('[' * 100_000, 'line 1 is not JSON'), ('', 'holds no problems'),
    ('{"question": "a"}', r"line 1 has no 'answer'; it has \['question'\]"),
    ('{"question": "\\ud800", "answer": "#### 1"}', "line 1, 'question': half a letter"),
    ('{"question": "a", "answer": "b #### ,"}', "line 1: 'answer' says nothing after ####"),
    ('{"question": "a", "answer": "b"}', "line 1: 'answer' says nothing after ####"),
    ('{"question": "a", "answer": "b #### "}', "line 1: 'answer' says nothing after ####"),
])
def test_a_malformed_line_is_named(tmp_path, text, message):
  (tmp_path / 'bad.jsonl').write_text(text)
  with pytest.raises(InputError, match=message):
    tasks.make('arithmetic', heldout_file=str(tmp_path / 'bad.jsonl')).problems(heldout=True)


def test_a_file_that_is_not_there_and_sizes_are_refused(tmp_path):
  with pytest.raises(InputError, match='cannot be read'):
    tasks.make('arithmetic', heldout_file=str(tmp_path / 'none')).problems(heldout=True)
  for chosen in (dict(steps=0), dict(largest=5)):
    with pytest.raises(InputError, match='needs steps >= 1 and largest >= 9'):
      tasks.make('arithmetic', **chosen)


@pytest.mark.skipif('LATENTMEM_DATA' not in os.environ, reason='LATENTMEM_DATA names no folder with gsm8k in it')
def test_the_public_problems_are_read():
  path = pathlib.Path(os.environ['LATENTMEM_DATA']) / 'gsm8k' / 'train.jsonl'
  task = tasks.make('arithmetic', file=str(path), question=1024, rest=512)
  held, kept = task.problems(True), task.problems(False)
  assert len(held) + len(kept) > 7400 and 650 < len(held) < 850
  assert sum(bool(p.steps) for p in held) > 0.95 * len(held)
