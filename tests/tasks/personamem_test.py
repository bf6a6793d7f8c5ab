"""PersonaMem v1 is read as published, without running anything, and refused where it is malformed."""

import csv
import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import personamem
from tests.tasks.fuzz import FUZZ, JSON, put, TEXT

OPTIONS = ["(a) It's tea, then.", '(b) Coffee\nit is', '(c) "Milk"', '(d) Water \\d']
ROW = dict(persona_id='3', question_id='q1', question_type='suggest_new_ideas', topic='drinks',
           context_length_in_tokens='100', distance_to_ref_in_tokens='42', user_question_or_message='What, then?',
           correct_answer='(b)', all_options=repr(OPTIONS), shared_context_id='c1', end_index_in_shared_context='2')
TURNS = [dict(role='system', content='Be kind.'), dict(role='user', content='I like\u2028tea.'),
         dict(role='assistant', content='Noted.')]


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
    (dict(persona_id=''), "question 0: 'persona_id' is ''; it takes a text"),
    (dict(user_question_or_message=' '), "question 0: 'user_question_or_message' is ' '"),
    (dict(distance_to_ref_in_tokens='far'), r"\('q1'\): 'distance_to_ref_in_tokens' is 'far', which is no number"),
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
    (['{"c1": [{"role": "user", "contnet": ""}]}'], "turn 0 has no 'content' .did you mean 'contnet'"),
    (['{"c1": [{"role": "user", "content": "a\\ud800"}]}'], "turn 0, 'content': half a letter .*, character 1"),
    (['{"c1": [{"role": "asistant", "content": ""}]}'], "'role' is 'asistant' .did you mean 'assistant'"),
    (['{"c1": [], "c1": []}'], "line 1 is not JSON: the key 'c1' stands twice"),
    (['{"c1": []}', '{"c1": []}'], "line 2: the context 'c1' is there twice")])
def test_a_malformed_context_is_named(tmp_path, lines, message):
  with pytest.raises(InputError, match=message):
    personamem.read(written(tmp_path, lines=lines))


def test_missing_columns_cells_files_and_versions_are_named(tmp_path):
  columns = [name for name in ROW if name != 'topic']
  with pytest.raises(InputError, match=r"has no columns \['topic'\]"):
    personamem.read(written(tmp_path, {name: ROW[name] for name in columns}, columns=columns))
  renamed = lambda old, new: [new if name == old else name for name in ROW]
  for old, new, said in (
      ('persona_id', 'person_id', r"no columns \['persona_id'\] .did you mean 'person_id'"),
      ('distance_to_ref_in_tokens', 'distance_to_ref_tokens', "'distance_to_ref_tokens' .did you mean 'distance_")):
    columns = renamed(old, new)
    with pytest.raises(InputError, match=said):
      personamem.read(written(tmp_path, dict(zip(columns, ROW.values())), columns=columns))
  written(tmp_path)
  path = tmp_path / 'questions_32k.csv'
  path.write_text(','.join([*ROW, 'topic']) + '\n')
  with pytest.raises(InputError, match=r"has the columns \['topic'\] twice"):
    personamem.read(tmp_path)
  path.write_text(','.join(ROW) + '\n' + ',' * (len(ROW) + 1) + '\n')
  with pytest.raises(InputError, match='question 0 has 2 cells more than there are columns'):
    personamem.read(tmp_path)
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
@given(old=st.sampled_from(personamem.COLUMNS), new=st.text(max_size=40))
def test_any_columns_are_read_or_refused(tmp_path, old, new):
  columns = [new if name == old else name for name in ROW]
  try:
    written(tmp_path, dict(zip(columns, ROW.values())), columns=columns)
  except UnicodeEncodeError:
    return
  try:
    personamem.read(tmp_path)
  except InputError as e:
    assert str(tmp_path / 'questions_32k.csv') in str(e)


@FUZZ
@given(place=st.sampled_from([('c1',), ('c1', 0), ('c1', 1, 'role'), ('c1', 1, 'content')]), value=JSON,
       key=TEXT | st.none(), torn=st.integers(0, 300) | st.none())
def test_any_contexts_are_read_or_refused(tmp_path, place, value, key, torn):
  whole = dict(c1=[dict(turn) for turn in TURNS])
  put(whole, place, value, key)
  try:
    for turn in personamem.read(written(tmp_path, lines=[json.dumps(whole)[:torn]])).contexts['c1']:
      assert turn['role'] in personamem.ROLES and turn['content'].encode() is not None
  except InputError as e:
    assert str(tmp_path) in str(e)


@FUZZ
@given(raw=st.binary(max_size=60), which=st.sampled_from(['questions_32k.csv', 'shared_contexts_32k.jsonl']))
def test_any_bytes_are_read_or_refused(tmp_path, raw, which):
  path = written(tmp_path) / which
  path.write_bytes(path.read_bytes()[:len(raw)] + raw)
  try:
    personamem.read(tmp_path)
  except InputError:
    pass


def test_a_chat_is_told_turn_by_turn():
  turns = [dict(role='system', content='Be kind.'), dict(role='user', content='User: Hi!\nTea?')]
  assert personamem.transcript(turns) == 'System: Be kind.\nUser: Hi!\nTea?\n' and personamem.transcript([]) == ''
  assert personamem.unnamed(turns) == [turns[0], dict(role='user', content='Hi!\nTea?')]


def test_an_answer_is_a_letter_after_all_options_or_a_text(tmp_path):
  question, = personamem.read(written(tmp_path)).questions
  letters, texts = (personamem.answers(question, by) for by in personamem.BY)
  assert [said for _, said in letters] == [' (a)', ' (b)', ' (c)', ' (d)']
  before, = {before for before, _ in letters}
  assert before.startswith('User: What, then?') and before.endswith('(d) Water \\d\nAssistant: <final_answer>')
  assert texts[1] == ('User: What, then?\nAssistant:', ' Coffee\nit is\n') and len(texts) == 4


def test_the_longest_option_is_a_rule_of_its_own(tmp_path):
  question, = personamem.read(written(tmp_path)).questions
  assert personamem.longest(question) == 0
  assert personamem.longest(question._replace(options=['a', 'bcd', 'e', 'fgh'])) == 1


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
