"""LoCoMo is read as published, scored by the official metric, and refused where it is malformed."""

import builtins
import copy
import json
import os
import pathlib

from hypothesis import given
from hypothesis import strategies as st
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import locomo
from latentmem.tasks.locomo import Question
from tests.tasks.fuzz import FUZZ, JSON, put, TEXT

TURNS = [dict(speaker='Ann', dia_id='D1:1', text='I adopted two cats.'),
         dict(speaker='Bob', dia_id='D1:2', text='Lovely!', blip_caption='a cat on a mat', img_url=['x'])]
QA = [dict(question='What did Ann adopt?', answer='two cats', evidence=['D1:1'], category=4),
      dict(question='When?', answer=2022, evidence=['D2:1'], category=2),
      dict(question='What did Bob adopt?', adversarial_answer='two cats', category=5,
           evidence=['D1:1; D2:1', 'D', 'D9:9'])]
RECORD = dict(sample_id='conv-1', qa=QA, conversation=dict(
    speaker_a='Ann', speaker_b='Bob', session_2_date_time='2 pm on 9 May, 2023',
    session_2=[dict(speaker='Ann', dia_id='D2:1', text='It was in 2022.')],
    session_1_date_time='1 pm on 8 May, 2023', session_1=TURNS, session_3_date_time='later'))


def written(tmp_path, *records):
  path = tmp_path / 'locomo.json'
  path.write_text(json.dumps(records))
  return path


def changed(path, value):
  """RECORD with the value at a path of keys changed; None takes it out."""
  record = copy.deepcopy(RECORD)
  *inner, last = path
  place = record
  for key in inner:
    place = place[key]
  if value is None:
    del place[last]
  else:
    place[last] = value
  return record


def test_conversations_are_read_in_the_order_of_their_sessions(tmp_path):
  conversation, = locomo.read(written(tmp_path, RECORD))
  assert conversation.name == 'conv-1' and conversation.speakers == ('Ann', 'Bob')
  assert [turn.name for turn in conversation.turns] == ['D1:1', 'D1:2', 'D2:1']
  assert conversation.turns[1].whole == 'Bob Lovely! a cat on a mat'
  assert conversation.turns[2].date == '2 pm on 9 May, 2023'
  assert [question.answer for question in conversation.questions] == ['two cats', '2022', 'two cats']
  assert [question.evidence for question in conversation.questions] == [[0], [2], [0, 2]]
  assert locomo.read(tmp_path) == [conversation]


@pytest.mark.parametrize('path, value, message', [
    (('sample_id',), None, r"locomo.json, conversation 0 has no 'sample_id'"),
    (('conversation', 'speaker_a'), None, r"\('conv-1'\) has no 'speaker_a'"),
    (('conversation', 'session_1_date_time'), None, "has no 'session_1_date_time'"),
    (('conversation', 'session_1'), {}, "'session_1': this is a dict, not a list"),
    (('conversation', 'session_1', 1), 'hi', 'session_1, turn 1: this is a str, not a dict'),
    (('conversation', 'session_1', 1, 'text'), None, "session_1, turn 1 has no 'text'"),
    (('conversation', 'session_1', 1, 'text'), 3, "session_1, turn 1, 'text': this is a int, not a str"),
    (('conversation', 'session_1', 1, 'blip_caption'), [], "session_1, turn 1, 'blip_caption': this is a list"),
    (('conversation', 'session_1', 1, 'dia_id'), 'D1:1', "3 turns, 2 of them with a 'dia_id' of their own"),
    (('qa', 0, 'question'), None, "question 0 has no 'question'"),
    (('qa', 0, 'answer'), None, "question 0 has no 'answer'"),
    (('qa', 2, 'adversarial_answer'), None, "question 2 has no 'adversarial_answer'"),
    (('qa', 0, 'answer'), True, "question 0, 'answer': this is a bool"),
    (('qa', 0, 'category'), 6, "question 0: 'category' is 6; LoCoMo has"),
    (('qa', 0, 'category'), '4', "question 0, 'category': this is a str, not a int"),
    (('qa', 0, 'evidence'), 'D1:1', "question 0, 'evidence': this is a str, not a list"),
    (('qa', 0, 'evidence'), [3], "question 0, 'evidence': this is a int, not a str"),
    (('qa', 0, 'question'), ['?'], "question 0, 'question': this is a list, not a str"),
    (('qa', 0, 'question'), 'wh\udc00', "question 0, 'question': half a letter .a lone surrogate, character 2"),
    (('conversation', 'session_1_date_time'), 8, "'session_1_date_time': this is a int, not a str"),
    (('conversation', 'speaker_b'), 7, "'speaker_b': this is a int, not a str"),
    (('conversation', 'session_1', 0, 'speaker'), [], "session_1, turn 0, 'speaker': this is a list, not a str"),
    (('conversation', 'sesion_3'), [], "'conv-1'. has a key 'sesion_3' .did you mean 'session_3'"),
    (('conversation', 'session_4_date_tiem'), '', "has a key 'session_4_date_tiem' .did you mean 'session_4_date_"),
    (('conversation', 'session_1', 0, 'blip_captoin'), 'x', "turn 0 has a key 'blip_captoin' .did you mean 'blip_capt"),
    (('qa', 0, 'adversarial_anwser'), 'x', "question 0 has a key 'adversarial_anwser' .did you mean 'adversarial_")])
def test_what_is_malformed_is_named(tmp_path, path, value, message):
  with pytest.raises(InputError, match=message):
    locomo.read(written(tmp_path, changed(path, value)))


def test_a_misspelt_key_is_named_with_what_was_meant(tmp_path):
  for path in (('sample_id',), ('qa',), ('conversation',), ('conversation', 'speaker_a'), ('qa', 1, 'category'),
               ('conversation', 'session_2_date_time'), ('conversation', 'session_2'),
               ('conversation', 'session_1', 0, 'speaker'), ('conversation', 'session_1', 1, 'text'),
               ('conversation', 'session_1', 1, 'blip_caption'), ('qa', 0, 'evidence'),
               ('qa', 2, 'adversarial_answer')):
    value = RECORD
    for key in path:
      value = value[key]
    spelt = path[-1][:1] + path[-1][2:] if len(path[-1]) > 2 else path[-1] + 's'
    record = changed(path, None)
    inner = record
    for key in path[:-1]:
      inner = inner[key]
    inner[spelt] = value
    with pytest.raises(InputError, match=f"locomo.json, conversation 0.* {spelt!r}|.did you mean {spelt!r}") as told:
      locomo.read(written(tmp_path, record))
    assert 'did you mean' in str(told.value)


def test_a_conversation_that_is_there_twice_is_refused(tmp_path):
  (tmp_path / 'again.json').write_text(json.dumps([RECORD]))
  written(tmp_path, RECORD)
  with pytest.raises(InputError, match=r"locomo.json, conversation 0: 'sample_id' is 'conv-1', as in .*again.json"):
    locomo.read(tmp_path)


def test_what_is_no_list_or_not_there_is_refused(tmp_path):
  with pytest.raises(InputError, match='No LoCoMo at'):
    locomo.read(tmp_path)
  (tmp_path / 'a.json').write_text('{}')
  with pytest.raises(InputError, match='a.json: this is a dict, not a list'):
    locomo.read(tmp_path)
  with pytest.raises(InputError, match='cannot be read: No such file'):
    locomo.read(tmp_path / 'none.json')


PLACES = [('sample_id',), ('qa',), ('qa', 0), ('qa', 1, 'answer'), ('qa', 0, 'evidence'), ('qa', 0, 'category'),
          ('qa', 0, 'question'), ('qa', 2, 'adversarial_answer'), ('qa', 1, 'evidence', 0),
          ('conversation',), ('conversation', 'session_1'), ('conversation', 'session_2', 0),
          ('conversation', 'speaker_a'), ('conversation', 'speaker_b'), ('conversation', 'session_1_date_time'),
          *(('conversation', 'session_1', 1, key) for key in ('dia_id', 'speaker', 'text', 'blip_caption'))]


@FUZZ
@given(place=st.sampled_from(PLACES), value=JSON, key=TEXT | st.none(), torn=st.integers(0, 1500) | st.none())
def test_any_file_is_read_or_refused(tmp_path, place, value, key, torn):
  """A value is another one, under its own key or another, and the file may end anywhere."""
  path = tmp_path / 'fuzz.json'
  record = copy.deepcopy(RECORD)
  put(record, place, value, key)
  path.write_text(json.dumps([record])[:torn])
  try:
    for conversation in locomo.read(path):
      locomo.evidence_recall([conversation])
      [locomo.choices(conversation, i) for i in range(len(conversation.questions))]
      [text.encode() for turn in conversation.turns for text in turn]
      [text.encode() for question in conversation.questions for text in (question.text, question.answer)]
  except InputError as e:
    assert str(path) in str(e)


@FUZZ
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path, raw):
  (tmp_path / 'fuzz.json').write_bytes(raw)
  try:
    locomo.read(tmp_path / 'fuzz.json')
  except InputError:
    pass


@pytest.mark.parametrize('output, answer, category, want', [
    ('Two cats!', 'two cats', 4, 1),
    ('The cat and a dog', 'cat, dog', 4, 1),          # articles and 'and' do not count
    ('she was adopting a cat', 'adopted cats', 4, 2 * 0.5 * 1 / 1.5),   # stems: she wa adopt cat | adopt cat
    ('cat cat', 'cat', 4, 2 * 0.5 * 1 / 1.5),         # each as often as it is there
    ('dog', 'cat', 4, 0), ('', 'cat', 4, 0),
    ('dying', 'die', 2, 1),                           # as NLTK stems it; Porter's paper makes 'dy' of it
    ('May 8, 2023', '8 May, 2023', 2, 1),
    ('yes', 'yes; she said so', 3, 1), ('yes', 'yes; she said so', 2, 2 * 1 * 0.25 / 1.25),
    ('dogs, cats', 'a cat, two dogs, a bird', 1, (1 + 2 * 1 * 0.5 / 1.5 + 0) / 3),
    ('It is Not Mentioned here.', 'cat', 5, 1), ('No information available', 'cat', 5, 1), ('cat', 'cat', 5, 0)])
def test_the_official_metric_by_hand(output, answer, category, want):
  pytest.importorskip('nltk')
  assert locomo.score(output, Question('?', answer, category, [])) == pytest.approx(want, abs=1e-12)


def test_scores_are_means_by_category_and_adversarial_ones_count_apart():
  pytest.importorskip('nltk')
  questions = [Question('?', 'cat', 4, []), Question('?', 'dog', 4, []), Question('?', '2022', 2, []),
               Question('?', 'cat', 5, [])]
  found = locomo.scored(questions, ['a cat', 'no', '2022', 'Not mentioned.'])
  half = dict(f1=0.5, asked=2, error=pytest.approx(0.5 / 2 ** 0.5))
  assert found['by_type'] == {'temporal': dict(f1=1, asked=1, error=0), 'single-hop': half,
                              'adversarial': dict(f1=1, asked=1, error=0)}
  assert found['f1'] == pytest.approx(2 / 3) and found['asked'] == 3
  assert found['error'] == pytest.approx((2 / 9) ** 0.5 / 3 ** 0.5)
  alone = locomo.scored(questions[3:], ['cat'])
  assert (alone['f1'], alone['error'], alone['asked']) == (None, None, 0) and alone['by_type']['adversarial']['f1'] == 0
  with pytest.raises(ValueError):
    locomo.scored(questions, ['cat'])


def test_without_the_stemmer_one_sentence_says_so(monkeypatch):
  real = builtins.__import__
  def refuse(name, *rest):
    if name.startswith('nltk'):
      raise ImportError(name)
    return real(name, *rest)
  monkeypatch.setattr(builtins, '__import__', refuse)
  locomo._stemmer.cache_clear()
  with pytest.raises(InputError, match='pip install nltk'):
    locomo.f1('a cat', 'cats')
  locomo._stemmer.cache_clear()


def conversation_of(answers, category=4):
  return locomo.Conversation('c', ('a', 'b'), [], [Question(f'{i}?', a, category, []) for i, a in enumerate(answers)])


def test_choices_are_ten_different_ones_of_a_kind():
  answers = [f'answer {i}' for i in range(30)] + ['The Answer 3!', 'answer 4']
  conversation = conversation_of(answers)
  conversation.questions.append(Question('?', 'other', 2, []))
  for number in range(31):
    options, right = locomo.choices(conversation, number)
    assert len(options) == 10 == len({locomo.normalized(option) for option in options})
    assert options[right] == answers[number] and 'other' not in options
    assert locomo.choices(conversation, number) == (options, right)
  places = [locomo.choices(conversation, number)[1] for number in range(30)]
  assert len(set(places)) > 5, 'the right one stands anywhere'
  assert len({tuple(sorted(locomo.choices(conversation, number)[0])) for number in range(30)}) == 30


def test_choices_are_fewer_where_there_are_no_more_and_two_for_what_was_not_said():
  options, right = locomo.choices(conversation_of(['a cat', 'dog', 'bird']), 1)
  assert sorted(options) == ['a cat', 'bird', 'dog'] and options[right] == 'dog'
  options, right = locomo.choices(conversation_of(['cat', 'dog'], category=5), 0)
  assert set(options) == {'cat', locomo.NOT_MENTIONED} and options[right] == locomo.NOT_MENTIONED


def test_recall_is_by_category_and_of_any_ranking(tmp_path):
  conversations = locomo.read(written(tmp_path, RECORD))
  found = locomo.evidence_recall(conversations, ks=(1, 3), rank=lambda conversation: lambda question: [2, 0, 1])
  assert found == {'all': {1: pytest.approx(0.5), 3: 1.0, 'questions': 3}, 'single-hop': {1: 0, 3: 1, 'questions': 1},
                   'temporal': {1: 1, 3: 1, 'questions': 1}, 'adversarial': {1: 0.5, 3: 1, 'questions': 1}}


@pytest.mark.skipif('LATENTMEM_DATA' not in os.environ, reason='LATENTMEM_DATA names no folder with locomo in it')
def test_the_public_conversations_are_read_and_ranked():
  """Recall of a BM25 written apart from this one, at the same k1 and b, on these five conversations."""
  conversations = locomo.read(pathlib.Path(os.environ['LATENTMEM_DATA']) / 'locomo')
  assert [len(c.turns) for c in conversations] == [419, 369, 663, 629, 680]
  assert sum(len(c.questions) for c in conversations) == 999
  found = locomo.evidence_recall(conversations)
  for name, want in dict(temporal=(34.8, 62.0, 70.7), adversarial=(29.1, 54.2, 63.3)).items():
    assert [round(100 * found[name][k], 1) for k in (1, 5, 10)] == list(want)
  assert all(locomo.score(q.answer, q) == 1 for c in conversations for q in c.questions
             if q.category in (1, 2, 4))
