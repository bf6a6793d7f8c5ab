"""Questions: the history tells the answer, and nothing else does."""

import collections
import math

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import persona_questions as questions_file
from latentmem.tasks import persona_words as words
from latentmem.tasks.person_facts import Draws, MEMBERS
from latentmem.tasks.persona_questions import questions, SCENARIOS, TYPES
from latentmem.tasks.persons import Person
from tests.tasks import persona_reader


def draws(seed=0):
  return Draws(np.random.default_rng(seed))


def spoken(question):
  return words.spoken(question.words), [words.spoken(option) for option in question.options]


def test_the_history_answers_every_question():
  seen = collections.Counter()
  for number in range(60):
    person = Person(0, number)
    history = words.spoken(person.history(1024).tokens_T)
    for question in questions(person, 12, 'any'):
      assert persona_reader.answer(history, *spoken(question)) == question.right, spoken(question)
      seen[question.kind] += 1
  assert set(seen) == set(TYPES) and min(seen.values()) > 50


def test_the_evidence_is_enough():
  """The turns that a question names answer it with all others taken away, but for the liking that a change is from."""
  for number in range(40):
    person = Person(1, number)
    history = person.history(1024)
    for question in questions(person, 12, 'any'):
      of_topic = [turn for turn in history.turns if turn.fact and turn.fact.startswith(question.group)]
      turns = [turn for turn in of_topic if turn.fact in question.evidence or turn.fact.endswith('/0')]
      text = ' '.join(f'<user> {words.spoken(turn.words)}' for turn in turns)
      assert persona_reader.answer(text, *spoken(question)) == question.right


def test_a_question_is_asked_of_the_whole_family_and_each_option_is_right_for_one():
  """So any rule that sees words and options alone is right for one member of four: 25 %, whatever else it knows."""
  for family in range(30):
    for part in ('first', 'later'):
      for kind, group in questions_file.subjects(Person(2, MEMBERS * family), part):
        asked = [questions_file.ask(Person(2, MEMBERS * family + member), group, kind, draws(family))
                 for member in range(MEMBERS)]
        assert len({tuple(question.tokens) for question in asked}) == 1
        assert sorted(question.right for question in asked) == [0, 1, 2, 3]
        assert len({tuple(question.options[question.right]) for question in asked}) == MEMBERS


def test_options_are_four_and_equally_long():
  for number in range(100):
    for question in questions(Person(0, number), 12, 'any'):
      assert len({tuple(option) for option in question.options}) == 4
      assert len({len(option) for option in question.options}) == 1
      if question.kind == SCENARIOS:
        assert len({option[0] for option in question.options}) == 4


def no_history_rules(train):
  """Rules by name: question -> a score for each option. Of equals the first is taken."""
  said = collections.Counter(word for q in train for word in q.options[q.right])
  offered = collections.Counter(word for q in train for option in q.options for word in option)
  share = lambda word: math.log((said[word] + 0.25) / (offered[word] + 1))
  grams = lambda q, option: [(a, b) for a in (q.kind, q.group) for b in (*option, *zip(option, option[1:]))]
  right, seen = collections.Counter(), collections.Counter()
  for q in train:
    for i, option in enumerate(q.options):
      right.update(grams(q, option) if i == q.right else ())
      seen.update(grams(q, option))
  letters = lambda option: len(words.spoken(option))
  return {
      **{f'option {letter}': lambda q, i=i: [i == j for j in range(4)] for i, letter in enumerate('abcd')},
      'longest': lambda q: [letters(o) for o in q.options], 'shortest': lambda q: [-letters(o) for o in q.options],
      'most words of the question': lambda q: [len({*o} & {*q.words}) for o in q.options],
      'letters shared with the question': lambda q: [
          len({*words.spoken(o)} & {*words.spoken(q.words)}) for o in q.options],
      'repeats other options': lambda q: [sum(w in p for p in q.options for w in o) for o in q.options],
      'unlike other options': lambda q: [-sum(w in p for p in q.options for w in o) for o in q.options],
      'frequent overall': lambda q: [sum(offered[w] for w in o) for o in q.options],
      'frequent as an answer': lambda q: [sum(share(w) for w in o) for o in q.options],
      'smallest number': lambda q: [-o[0] for o in q.options],
      'naive Bayes': lambda q: [sum(math.log((right[g] + 1) / (seen[g] + 4)) for g in grams(q, o)) for o in q.options]}


def accuracies(rules, asked):
  """Share right, by rule and then by type and for all."""
  table = {}
  for name, rule in rules.items():
    right = [(q.kind, int(np.argmax(rule(q))) == q.right) for q in asked]
    table[name] = {kind: np.mean([was for k, was in right if kind in (k, 'all')]) for kind in ('all', *TYPES)}
  return table


def test_no_rule_without_the_history_beats_chance():
  """Within four standard errors of 25 %, whose size is that of independent questions, in all and in each type."""
  train = [q for number in range(1000, 1300) for q in questions(Person(0, number), 8, 'any')]
  asked = [q for number in range(300) for q in questions(Person(0, number), 8, 'any')]
  counts = collections.Counter(q.kind for q in asked) | dict(all=len(asked))
  for name, row in accuracies(no_history_rules(train), asked).items():
    for kind, share in row.items():
      assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / counts[kind]), (name, kind, share)


def test_a_rule_that_has_seen_every_training_question_of_the_same_persons_is_at_chance():
  """All of a question's options are right equally often over whole families: its counts tell nothing."""
  people = range(24)
  train = [q for number in people for q in questions(Person(0, number), 100, 'train')]
  asked = [q for number in people for q in questions(Person(0, number), 40, 'heldout')]
  right = collections.Counter((q.kind, q.group, *q.options[q.right]) for q in train)
  rule = lambda q: [right[(q.kind, q.group, *option)] for option in q.options]
  share = accuracies(dict(memory=rule), asked)['memory']['all']
  # Its groups are of 6 families, so its 960 questions are not independent.
  assert abs(share - 0.25) < 0.05


def test_rules_on_the_surface_of_the_history_do_not_solve_it():
  """An option's words being there, being last, or being most often there."""
  rows = collections.defaultdict(list)
  for number in range(100):
    person = Person(0, number)
    text = f' {words.spoken(person.history(1024).tokens_T)} '
    for q in questions(person, 8, 'any'):
      options = [f' {option} ' for option in spoken(q)[1]]
      for name, rule in dict(there=text.__contains__, last=text.rfind, often=text.count).items():
        rows[name].append(int(np.argmax([rule(option) for option in options])) == q.right)
  assert all(np.mean(right) < 0.4 for right in rows.values()), {name: np.mean(right) for name, right in rows.items()}


def test_answers_in_a_row_do_not_tell_each_other():
  for number in range(100):
    asked = questions_file.apart(Person(0, number), 11, draws(number))
    assert len(asked) == len({q.group for q in asked}) == 11
  rows = [questions_file.apart(Person(0, number), 8, draws(number)) for number in range(300)]
  # Was an option right, or offered, before?
  for seen in (lambda row, i: [w for q in row[:i] for w in q.options[q.right]],
               lambda row, i: [w for q in row[:i] for o in q.options for w in o]):
    for sign in (1, -1):
      right = [int(np.argmax([sign * len({*o} & {*seen(row, i)}) for o in q.options])) == q.right
               for row in rows for i, q in enumerate(row)]
      assert abs(np.mean(right) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(right))


def test_splits_are_apart():
  person = Person(0, 5)
  asked = {split: {tuple(q.tokens) for q in questions(person, 300, split)} for split in ('train', 'heldout')}
  assert not asked['train'] & asked['heldout'] and min(map(len, asked.values())) > 100
  groups = {share: {q.group for q in questions(person, 200, 'any', asked=share)} for share in ('asked', 'unasked')}
  assert not groups['asked'] & groups['unasked'] and len(groups['unasked']) == 4 and len(groups['asked']) == 7
  assert {q.kind for q in questions(person, 200, 'any', asked='unasked')} == set(TYPES)


def test_types_are_drawn_alike_and_told_by_their_first_word():
  asked = [q for number in range(50) for q in questions(Person(0, number), 40, 'any')]
  counts = collections.Counter(q.kind for q in asked)
  assert all(abs(counts[kind] - len(asked) / 7) < 80 for kind in TYPES)
  assert all(TYPES[questions_file.OPENING[q.words[0]]] == q.kind for q in asked)


def test_what_cannot_be_asked_is_refused():
  person = Person(0, 0)
  with pytest.raises(InputError, match="no question type 'suggest_ideas' .did you mean 'suggest_new_ideas'"):
    questions(person, 1, kinds=('suggest_ideas',))
  with pytest.raises(InputError, match="no split 'test'"):
    questions_file.draw(person, draws(), split='test')
  with pytest.raises(InputError, match='Nothing of .* can be asked'):
    from latentmem.tasks.persons import Size
    questions(Person(0, 0, Size(ideas=0)), 1, kinds=('suggest_new_ideas',))


def test_a_question_in_plain_english():
  q = next(q for q in questions(Person(0, 0), 50) if q.words[0] == words.NUMBER['recommend'])
  first, *options = q.text.split('\n')
  assert first.startswith('Recommend some ') and first.endswith(' to me now.')
  assert [option[:4] for option in options] == ['(a) ', '(b) ', '(c) ', '(d) ']
