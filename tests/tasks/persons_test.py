"""Histories: pure functions, as long as wanted, true to their facts, the later one winning."""

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import persona_questions, persons
from latentmem.tasks import persona_words as words
from latentmem.tasks.persons import Person, Size
from tests.tasks import persona_reader


@pytest.mark.parametrize('tokens', [1024, 8192, 32768, 131072])
def test_a_history_is_nearly_as_long_as_wanted(tokens):
  for number in range(2):
    history = Person(0, number).history(tokens)
    assert tokens - 40 < len(history.tokens_T) <= tokens
    np.testing.assert_array_equal(history.tokens_T, persons.tokens_of(history.turns))
    assert history.ends[-1] == len(history.tokens_T) and len(history.ends) == len(history.turns)


def test_a_person_is_a_function_of_seed_number_and_size():
  history = Person(3, 7).history()
  persons._history.cache_clear()
  again = Person(3, 7).history()
  assert history.turns == again.turns and history is not again
  others = [Person(3, 6), Person(4, 7), Person(3, 7, Size(preferences=3))]
  assert all(other.history().turns != history.turns for other in others)
  assert Person(2**40, 2**50).history().turns


def test_facts_are_the_same_at_any_length_and_all_are_told():
  person = Person(1, 9)
  told = lambda history: sorted((turn.fact, turn.words[:3]) for turn in history.turns if turn.fact)
  short, long = person.history(1024), person.history(4096)
  keys = set(person.facts())
  assert {key for key, _ in told(short)} == {key for key, _ in told(long)} == keys == set(short.where)
  for key, value in person.facts().items():
    turn = long.turns[long.where[key]]
    assert turn.fact == key and turn.speaker == 'user' and set(value) <= set(turn.words)


def test_every_fact_is_told_once_and_read_back_from_the_words():
  person = Person(0, 2)
  for history, part in ((person.history(2048), 'first'), (person.later(300), 'later')):
    read = [(kind, said['value']) for kind, said in persona_reader.facts(words.spoken(history.tokens_T))]
    assert sorted(value for _, value in read) == sorted(words.spoken(v) for v in person.facts(part).values())


def test_turns_alternate_and_dates_rise():
  turns = Person(0, 1).history(4096).turns
  assert [turn.speaker for turn in turns] == ['user', 'assistant'] * (len(turns) // 2)
  dates = [turn.date for turn in turns]
  assert dates == sorted(dates) and len(set(dates)) > 20
  assert turns[0].chat == dict(role='user', content=words.plain(turns[0].words))


def test_facts_stand_anywhere():
  places = [place / len(history.turns) for number in range(0, 80, 4) for history in [Person(2, number).history(2048)]
            for place in history.where.values()]
  shares = np.histogram(places, bins=5, range=(0, 1))[0] / len(places)
  assert abs(shares - 0.2).max() < 0.06


def test_evidence_is_where_it_was_told():
  person = Person(0, 3)
  history = person.history(2048)
  for question in persona_questions.questions(person, 50):
    turns, distance = history.evidence(question)
    assert {history.turns[turn].fact for turn in turns} == set(question.evidence)
    assert len(history.tokens_T) - distance == history.ends[turns[-1]]
    assert history.tokens_T[history.ends[turns[-1]] - 1] == history.turns[turns[-1]].words[-1]


def test_what_is_told_later_touches_nothing_old():
  person = Person(0, 4)
  history, later = person.history(2048), person.later(1000)
  assert len(later.turns) == 1000 and later.turns[0].date > history.turns[-1].date
  assert set(later.where) == set(person.facts('later')) and not set(later.where) & set(history.where)
  both = words.spoken([*history.tokens_T, *later.tokens_T])
  for part in ('first', 'later'):
    for question in persona_questions.questions(person, 60, part=part):
      options = [words.spoken(option) for option in question.options]
      assert persona_reader.answer(both, words.spoken(question.words), options) == question.right


def test_too_little_room_is_refused():
  with pytest.raises(InputError, match='takes at least [0-9]+ tokens more'):
    Person(0, 0).history(300)
  with pytest.raises(InputError, match='facts take at least [0-9]+ turns'):
    Person(0, 0).later(20)
  with pytest.raises(InputError, match="no part 'last'"):
    Person(0, 0).groups('last')


def test_least_tokens_are_enough_for_anyone():
  for size in (Size(), Size(1, 0, 0, 1, 0), Size(0, 1, 1, 0, 1)):
    least = persons.least_tokens(size)
    assert all(len(Person(0, number, size).history(least).tokens_T) <= least for number in range(60))
