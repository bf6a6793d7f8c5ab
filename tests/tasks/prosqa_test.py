"""Problems say what their graphs say, in symbols and in words, drawn and from the published files."""

import functools
import json
import os
import pathlib
import re

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import is_a_graphs

RECORD = dict(
    question='Every lempus is a yumpus. Tom is a lempus. Every lempus is a zumpus. Max is a gorpus. Every yumpus is a '
             'bompus. Every gorpus is a impus. Is Tom a impus or bompus?',
    answer='Tom is a bompus.',
    steps=['Tom is a lempus.', 'Every lempus is a yumpus.', 'Every yumpus is a bompus.'],
    idx_to_symbol=['Tom', 'Max', 'lempus', 'yumpus', 'zumpus', 'gorpus', 'bompus', 'impus'],
    edges=[[0, 2], [2, 3], [2, 4], [1, 5], [3, 6], [5, 7]], root=0, target=6, neg_target=7)


def said(task, tokens):
  return [task.words[t] for t in tokens]


def spelled(text):
  return re.findall(r'\w+|[^\w\s]', text)


def edge_in_words(form, name, below, a, b):
  if form == 'symbols':
    return [name[a], name[b], '|']
  return [*(['Every'] if a in below else []), name[a], 'is', 'a', name[b], '.']


def file_of(tmp_path, *records):
  path = tmp_path / 'problems.json'
  path.write_text(json.dumps(records))
  return str(path)


@pytest.mark.parametrize('form, sizes', [('symbols', {}), ('words', dict(question=330, rest=48))])
def test_a_problem_tells_its_graph(form, sizes):
  task = tasks.make('prosqa', form=form, **sizes)
  for seed in range(20):
    problem = task.problem(np.random.default_rng(seed))
    asked, name = problem.graph.asked, said(task, problem.graph.token_N)
    assert len(set(name)) == asked.nodes
    # Nodes are numbered as they came about, so edges in that order would tell how deep they lie.
    assert asked.edges != sorted(asked.edges, key=lambda edge: edge[1])
    below = {child for _, child in asked.edges}
    edge = functools.partial(edge_in_words, form, name, below)
    told = [word for a, b in asked.edges for word in edge(a, b)]
    words = said(task, problem.question)
    assert words[:len(told)] == told
    root, options = name[asked.root], {name[asked.target], name[asked.wrong]}
    if form == 'symbols':
      assert words[len(told):len(told) + 2] == ['?', root] and set(words[len(told) + 2:]) == options
      assert said(task, problem.answer) == [name[asked.target]]
    else:
      assert words[len(told):len(told) + 3] == ['Is', root, 'a']
      assert {words[-4], words[-2]} == options and words[-3::2] == ['or', '?']
      assert said(task, problem.answer) == [root, 'is', 'a', name[asked.target], '.']
    assert [said(task, step) for step in problem.steps] == [edge(a, b) for a, b in zip(asked.path, asked.path[1:])]


def test_neither_order_nor_names_nor_place_tell_the_answer():
  task = tasks.make('prosqa')
  problems = [task.problem(np.random.default_rng(seed)) for seed in range(300)]
  first = np.mean([p.question[-2] == p.answer[0] for p in problems])
  larger = np.mean([p.answer[0] == max(p.question[-2:]) for p in problems])
  place = lambda p, token: p.question.index(token)
  later = np.mean([place(p, p.answer[0]) == max(place(p, token) for token in p.question[-2:]) for p in problems])
  for share in (first, larger, later):
    assert abs(share - 0.5) < 0.1


def test_training_knows_so_many_graphs_and_tells_them_anew():
  task = tasks.make('prosqa', graphs=3)
  problems = [task.problem(np.random.default_rng(seed)) for seed in range(30)]
  assert len({tuple(sorted(p.graph.asked.edges)) for p in problems}) == 3
  assert len({tuple(p.question) for p in problems}) == 30
  heldout = [task.problem(np.random.default_rng(seed), heldout=True) for seed in range(5)]
  assert len({tuple(sorted(p.graph.asked.edges)) for p in heldout}) == 5


def test_hops_and_matched_are_those_of_the_graphs():
  task = tasks.make('prosqa', hops=(3,), matched=True, graphs=0)
  for seed in range(10):
    asked = task.problem(np.random.default_rng(seed)).graph.asked
    assert len(asked.path) == 4
    other = is_a_graphs.distances(asked.edges, 1 - asked.root)
    assert other[asked.wrong] == 3


@pytest.mark.parametrize('chosen', [dict(hops=(0,)), dict(hops=(8,)), dict(hops=('3',)), dict(graphs=-1)])
def test_graphs_that_cannot_be_are_refused(chosen):
  with pytest.raises(InputError, match='takes graphs >= 0 and hops from 1 to 7'):
    tasks.make('prosqa', **chosen)


def test_hops_may_be_one_number_and_a_search_without_end_ends(monkeypatch):
  assert len(tasks.make('prosqa', hops=3, graphs=0).problem(np.random.default_rng(0)).steps) == 3
  monkeypatch.setattr(is_a_graphs, 'TRIES', 20)
  with pytest.raises(InputError, match=r'None of 20 graphs has a matched question of \(7,\) hops'):
    tasks.make('prosqa', hops=(7,), matched=True, graphs=0).problem(np.random.default_rng(0))


def test_a_file_that_changes_is_other_data(tmp_path):
  from latentmem import data
  task = dict(kind='prosqa', form='words', heldout_file=file_of(tmp_path, RECORD))
  before = data.make(dict(kind='task', task=task)).fingerprint
  file_of(tmp_path, RECORD, RECORD)
  assert data.make(dict(kind='task', task=task)).fingerprint != before


def test_a_question_too_long_for_its_span_is_drawn_again():
  task = tasks.make('prosqa', question=100)
  assert all(len(task.problem(np.random.default_rng(seed)).question) < 100 for seed in range(10))
  with pytest.raises(InputError, match='fits question=9 and rest=24; the last would have taken [0-9]+ and [0-9]+'):
    tasks.make('prosqa', question=9, graphs=2).problem(np.random.default_rng(0))


def test_the_published_format_is_read_as_it_is_written(tmp_path):
  path = file_of(tmp_path, RECORD)
  task = tasks.make('prosqa', form='words', heldout_file=path)
  problem, = task.problems(path)
  assert said(task, problem.question) == spelled(RECORD['question'])
  assert [said(task, step) for step in problem.steps] == [spelled(step) for step in RECORD['steps']]
  assert said(task, problem.answer) == spelled(RECORD['answer'])
  assert task.problem(np.random.default_rng(0), heldout=True) == problem
  assert task.problem(np.random.default_rng(0)) != problem


def test_a_file_in_symbols_is_the_same_graph(tmp_path):
  path = file_of(tmp_path, RECORD)
  words, symbols = (tasks.make('prosqa', form=form, heldout_file=path) for form in ('words', 'symbols'))
  (a,), (b,) = words.problems(path), symbols.problems(path)
  assert a.graph.asked == b.graph.asked
  assert said(symbols, b.question)[-4:] == ['?', *(symbols.words[b.graph.token_N[node]] for node in (0, 7, 6))]


@pytest.mark.parametrize('change, message', [
    (dict(steps=None), r"problem 0: 'steps' is a NoneType, not a list"),
    (dict(root='Tom'), r"problem 0: 'root' is a str, not a int"),
    (dict(root=False), r"problem 0: 'root' is a bool, not a int"),
    (dict(target=7, neg_target=6), r"problem 0: 'target' cannot be reached from 'root'"),
    (dict(root=1), r"problem 0: 'root', 'target' and 'neg_target' are not those that the question asks about"),
    (dict(neg_target=6), r"problem 0: 'root', 'target' and 'neg_target' are not those"),
    (dict(question=RECORD['question'].replace('impus or', 'zumpus or'), neg_target=4),
     r"problem 0: 'neg_target' can be reached from 'root'"),
    (dict(steps=[]), r"problem 0: 'steps' are no way from 'root' to 'target'"),
    (dict(steps=RECORD['steps'][1:]), r"problem 0: 'steps' are no way from 'root' to 'target'"),
    (dict(answer='Tom is a impus.'), r"problem 0: 'answer' does not name 'target'"),
    (dict(edges=[[0]]), r"problem 0, 'edges' 0: \[0\] is no pair of numbers of its [0-9]+ nodes"),
    (dict(edges=[3]), r"problem 0, 'edges' 0: 3 is no pair"), (dict(edges=[[0, 1.0]]), "problem 0, 'edges' 0: "),
    (dict(steps=[None]), "problem 0, 'steps' 0: None is no sentence about its nodes"),
    (dict(question='Hello world. ' + RECORD['question']), "problem 0, 'question': 'Hello world' is no sentence"),
    (dict(answer='It is so.'), "problem 0, 'answer': 'It is so.' is no sentence"),
    (dict(idx_to_symbol=RECORD['idx_to_symbol'][:1] * 2), 'idx_to_symbol has a word twice'),
    (dict(edges=[[0, 2]]), r"problem 0: 'edges' are not those that the question tells"),
    (dict(question='What?'), "problem 0, 'question': 'What.' is no sentence about its nodes"),
    (dict(idx_to_symbol=['Tom', 'lempsu']), r"has 'lempsu', which is no word of ProsQA .did you mean 'lempus'"),
])
def test_a_malformed_problem_is_named(tmp_path, change, message):
  path = file_of(tmp_path, RECORD | change)
  with pytest.raises(InputError, match=message):
    tasks.make('prosqa', form='words', heldout_file=path).problems(path)


def test_edges_in_a_circle_that_nothing_leads_to_are_refused(tmp_path):
  words = ['Tom', 'lempus', 'Rex', 'impus', 'zumpus']
  record = dict(question='Tom is a lempus. Rex is a impus. Every zumpus is a zumpus. Is Tom a lempus or impus?',
                steps=['Tom is a lempus.'], answer='Tom is a lempus.', edges=[[0, 1], [2, 3], [4, 4]],
                idx_to_symbol=words, root=0, target=1, neg_target=3)
  with pytest.raises(InputError, match='problem 0: some of its edges go in a circle that nothing leads to'):
    tasks.make('prosqa', form='words', heldout_file=file_of(tmp_path, record)).problems(file_of(tmp_path, record))


def test_what_would_do_for_a_whole_file_is_told(tmp_path):
  path = file_of(tmp_path, RECORD, RECORD)
  task = tasks.make('prosqa', form='words', heldout_file=path)
  question, rest = task.room(task.problems(path)[0])
  small = tasks.make('prosqa', form='words', heldout_file=path, question=question - 1, rest=3)
  with pytest.raises(InputError, match=f'question={question}, rest={rest} would do for all'):
    small.problem(np.random.default_rng(0), heldout=True)
  fits = tasks.make('prosqa', form='words', heldout_file=path, question=question, rest=rest)
  assert fits.example(fits.problems(path)[0], 0).weights_T[-1] == 1
  with pytest.raises(InputError, match='room for'):
    tasks.make('prosqa', form='words', heldout_file=path, question=question, rest=rest - 1).problems(path)


def test_a_missing_key_and_a_file_that_is_none_are_named(tmp_path):
  task = tasks.make('prosqa', form='words')
  with pytest.raises(InputError, match=r"problem 1 has no 'answer'; it has \['question'"):
    task.problems(file_of(tmp_path, RECORD, {k: v for k, v in RECORD.items() if k != 'answer'}))
  with pytest.raises(InputError, match='problem 0 is a int, not an object'):
    task.problems(file_of(tmp_path, 3))
  for text, message in (('{', 'is not JSON'), ('{}', 'does not hold a list of problems')):
    path = tmp_path / f'{len(text)}.json'
    path.write_text(text)
    with pytest.raises(InputError, match=message):
      task.problems(str(path))
  with pytest.raises(InputError, match='cannot be read: No such file'):
    task.problems(str(tmp_path / 'none.json'))
  with pytest.raises(InputError, match='needs a heldout_file'):
    tasks.make('prosqa', file='some.json')


@pytest.mark.skipif('LATENTMEM_DATA' not in os.environ, reason='LATENTMEM_DATA names no folder with prosqa in it')
def test_the_public_problems_are_read_word_for_word():
  path = pathlib.Path(os.environ['LATENTMEM_DATA']) / 'prosqa' / 'prosqa_valid.json'
  task = tasks.make('prosqa', form='words', question=330, rest=48, heldout_file=str(path))
  for record, problem in zip(json.loads(path.read_text()), task.problems(str(path)), strict=True):
    assert said(task, problem.question) == spelled(record['question'])
    assert [said(task, step) for step in problem.steps] == [spelled(step) for step in record['steps']]
    assert said(task, problem.answer) == spelled(record['answer'])
