"""What tasks over persons share."""

import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import asks_persons, person_facts, persona_questions, persons


def test_the_longest_question_is_as_long_as_said():
  sizes = [len(q.tokens) for number in range(60)
           for q in persona_questions.questions(persons.Person(0, number), 20, 'any')]
  assert max(sizes) == asks_persons.LONGEST


@pytest.mark.parametrize('kind', ['persona', 'persona_context'])
def test_size_and_types_are_fields(kind):
  fields = dict(questions=3) if kind == 'persona_context' else {}
  task = tasks.make(kind, preferences=2, evolutions=1, ideas=1, attributes=1, plans=0, **fields)
  assert task.size == person_facts.Size(2, 1, 1, 1, 0) and task.types == persona_questions.TYPES
  fields = fields | dict(questions=2)  if fields else {}
  assert tasks.make(kind, types='suggest_new_ideas', **fields).types == ('suggest_new_ideas',)
  with pytest.raises(InputError, match='no question type'):
    tasks.make(kind, types=('suggest',), **fields)
  with pytest.raises(InputError, match='A person has at most 11'):
    tasks.make(kind, preferences=12, **fields)
