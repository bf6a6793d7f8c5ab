"""PersonaMem v1 is read as published, without running anything, and refused where it is malformed."""

import csv
import json

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import personamem

OPTIONS = ["(a) It's tea, then.", '(b) Coffee\nit is', '(c) "Milk"', '(d) Water \\d']
ROW = dict(persona_id='3', question_id='q1', question_type='suggest_new_ideas', topic='drinks',
           context_length_in_tokens='100', distance_to_ref_in_tokens='42', user_question_or_message='What, then?',
           correct_answer='(b)', all_options=repr(OPTIONS), shared_context_id='c1', end_index_in_shared_context='2')
TURNS = [dict(role='system', content='Be kind.'), dict(role='user', content='I like\u2028tea.'),
         dict(role='assistant', content='Noted.')]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder, *rows, lines=None, version='32k', columns=None):
  with open(folder / f'questions_{version}.csv', 'w', newline='') as file:
    writer = csv.DictWriter(file, columns or list(ROW))
    writer.writeheader()
    writer.writerows(rows or [ROW])
  lines = [json.dumps(dict(c1=TURNS), ensure_ascii=False)] if lines is None else lines
  (folder / f'shared_contexts_{version}.jsonl').write_text('\n'.join(lines) + '\n')
  return folder


@pytest.mark.parametrize('version', ['32k', '128k'])
def test_questions_and_their_histories_are_read(tmp_path, version):
  bench = personamem.read(written(tmp_path, version=version), version)
  question, = bench.questions
  assert question.options == [option[4:] for option in OPTIONS] and question.right == 1
  assert (question.name, question.person, question.kind, question.distance) == ('q1', '3', 'suggest_new_ideas', 42)
  assert bench.history(question) == TURNS[:2]
  assert question.prompt.startswith('What, then?\n\nFind the most') and question.prompt.endswith('\n(d) Water \\d')


def test_versions_call_a_type_alike(tmp_path):
  row = ROW | dict(question_type='generalize_to_new_scenarios', distance_to_ref_in_tokens='')
  question, = personamem.read(written(tmp_path, row)).questions
  assert question.kind == 'generalizing_to_new_scenarios' and question.distance is None


def test_options_may_stand_in_any_order(tmp_path):
  row = ROW | dict(all_options=repr(OPTIONS[::-1]))
  question, = personamem.read(written(tmp_path, row)).questions
  assert question.options[question.right] == 'Coffee\nit is'


@pytest.mark.parametrize('change, message', [
    (dict(shared_context_id='c2'), r"csv, question 0 \('q1'\): 'shared_context_id' is 'c2'"),
    (dict(end_index_in_shared_context='4'), "'end_index_in_shared_context' is '4', and its context has 3 turns"),
    (dict(end_index_in_shared_context='-1'), "'end_index_in_shared_context' is '-1'"),
    (dict(correct_answer='(e)'), r"'correct_answer' is '\(e\)', not one of"),
    (dict(correct_answer=''), "'correct_answer' is ''"),
    (dict(all_options='[1, 2'), "'all_options' is no list of four texts"),
    (dict(all_options=repr(OPTIONS[:3])), "'all_options' is no list of four texts"),
    (dict(all_options=repr([*OPTIONS[:3], '(a) twice'])), "'all_options' is no list of four texts"),
    (dict(all_options=repr(OPTIONS[:3] + [4])), "'all_options' is no list of four texts"),
    (dict(all_options='[' * 99_999), "'all_options' is no list of four texts"),
    (dict(all_options='x' * 100_001), "'all_options' is no list of four texts")])
def test_a_malformed_question_is_named(tmp_path, change, message):
  with pytest.raises(InputError, match=message):
    personamem.read(written(tmp_path, ROW | change))


def test_options_are_a_literal_and_never_run(tmp_path):
  mark = tmp_path / 'ran'
  code = f"[open({str(mark)!r}, 'w'), '(b) x', '(c) x', '(d) x']"
  with pytest.raises(InputError, match="'all_options' is no list of four texts"):
    personamem.read(written(tmp_path, ROW | dict(all_options=code)))
  assert not mark.exists()


@pytest.mark.parametrize('lines, message', [
    (['{'], 'jsonl, line 1 is not JSON'), (['[]'], 'line 1: this is a list, not a dict'), ([''], 'holds no contexts'),
    (['{"c1": 3}'], "line 1, context 'c1': this is a int, not a list"),
    (['{"c0": []}', '{"c1": [{"role": "user"}]}'], "line 2, context 'c1', turn 0 has no 'content'"),
    (['{"c1": [{"role": 1, "content": ""}]}'], "line 1, context 'c1', turn 0, 'role': this is a int"),
    (['{"c1": []}', '{"c1": []}'], "line 2: the context 'c1' is there twice")])
def test_a_malformed_context_is_named(tmp_path, lines, message):
  with pytest.raises(InputError, match=message):
    personamem.read(written(tmp_path, lines=lines))


def test_missing_columns_cells_files_and_versions_are_named(tmp_path):
  columns = [name for name in ROW if name != 'topic']
  with pytest.raises(InputError, match=r"has no columns \['topic'\]"):
    personamem.read(written(tmp_path, {name: ROW[name] for name in columns}, columns=columns))
  written(tmp_path)
  path = tmp_path / 'questions_32k.csv'
  path.write_text(','.join(ROW) + '\n3,q1\n')
  with pytest.raises(InputError, match="question 0, 'question_type': this is a NoneType, not a str"):
    personamem.read(tmp_path)
  path.write_text(','.join(ROW) + '\n')
  with pytest.raises(InputError, match='holds no questions'):
    personamem.read(tmp_path)
  path.write_text(','.join(ROW) + '\n"3')
  with pytest.raises(InputError, match='is not CSV'):
    personamem.read(tmp_path)
  with pytest.raises(InputError, match='cannot be read: No such file'):
    personamem.read(tmp_path, '128k')
  with pytest.raises(InputError, match='has the versions'):
    personamem.read(tmp_path, '64k')


@FUZZ
@given(name=st.sampled_from(personamem.COLUMNS), value=st.text(max_size=40), torn=st.integers(0, 600) | st.none())
def test_any_questions_are_read_or_refused(tmp_path, name, value, torn):
  try:
    written(tmp_path, ROW | {name: value})
  except UnicodeEncodeError:
    return
  path = tmp_path / 'questions_32k.csv'
  path.write_bytes(path.read_bytes()[:torn])
  try:
    personamem.read(tmp_path)
  except InputError as e:
    assert str(path) in str(e)


@FUZZ
@given(raw=st.binary(max_size=60), which=st.sampled_from(['questions_32k.csv', 'shared_contexts_32k.jsonl']))
def test_any_bytes_are_read_or_refused(tmp_path, raw, which):
  path = written(tmp_path) / which
  path.write_bytes(path.read_bytes()[:len(raw)] + raw)
  try:
    personamem.read(tmp_path)
  except InputError:
    pass


@pytest.mark.parametrize('output, right', [
    ('(b)', True), ('I think (a). <final_answer> (b) </final_answer>', True), ('b', True), ('Answer: B.', True),
    ('(a) or (b)', False), ('<final_answer>(c)', False), ('', False), ('(b) <final_answer> (a)', False),
    ('so (b) <final_answer>', True)])
def test_a_text_is_read_as_the_official_code_does(tmp_path, output, right):
  question, = personamem.read(written(tmp_path)).questions
  assert personamem.is_right(output, question) == right


def test_accuracy_is_by_type(tmp_path):
  kinds = ['suggest_new_ideas', 'suggest_new_ideas', 'recall_user_shared_facts']
  questions = personamem.read(written(tmp_path, *(ROW | dict(question_type=kind) for kind in kinds))).questions
  assert personamem.accuracy(questions, [True, False, True]) == dict(accuracy=2 / 3, asked=3, by_type=dict(
      recall_user_shared_facts=dict(accuracy=1, asked=1), suggest_new_ideas=dict(accuracy=0.5, asked=2)))
  assert personamem.accuracy([], []) == dict(accuracy=None, asked=0, by_type={})
