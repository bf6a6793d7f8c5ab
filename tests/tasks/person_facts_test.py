"""A family's members share words and differ in which is which."""

import numpy as np
import pytest

from latentmem.base.errors import InputError
from latentmem.tasks import person_facts
from latentmem.tasks import persona_words as words
from latentmem.tasks.person_facts import Draws, MEMBERS, Size


def draws(seed=0):
  return Draws(np.random.default_rng(seed))


def test_draws_are_uniform():
  counts = np.bincount([draws(seed).below(5) for seed in range(2000)], minlength=5)
  assert counts.sum() == 2000 and abs(counts - 400).max() < 90
  one = draws()
  firsts = np.bincount([one.sample('abcd', 2)[0] == 'a' for _ in range(2000)])
  assert abs(firsts[1] - 500) < 100
  assert sorted(one.sample(range(9), 9)) == list(range(9))


def test_all_latin_squares_are_drawn():
  one = draws()
  squares = {one.square() for _ in range(6000)}
  assert len(squares) == 576
  for square in squares:
    assert all(set(line) == {0, 1, 2, 3} for line in (*square, *zip(*square)))


def test_each_value_takes_each_role_in_one_member():
  for family in range(50):
    for part in person_facts.PARTS:
      for group in person_facts.groups(0, family, Size(), part):
        if group.kind in ('preference', 'attribute', 'plan'):
          assert all({group.by_member[m][role] for m in range(MEMBERS)} == {0, 1, 2, 3} for role in range(4))
        if group.kind == 'evolution':
          assert len(set(group.by_member)) == MEMBERS
        if group.kind == 'idea':
          assert {roles[2] for roles in group.by_member} == {0, 1, 2, 3}
          for liked, tried, new in group.by_member:
            kinds = [value[0] for value in group.values]
            assert kinds[liked] == kinds[new] != kinds[tried] and new not in (liked, tried)


def test_what_comes_later_is_about_other_things():
  for family in range(50):
    first, later = (person_facts.groups(0, family, Size(), part) for part in person_facts.PARTS)
    told = lambda groups: {group.subject for group in groups if group.kind != 'plan'}
    never = set(person_facts.never_told(0, family, Size()))
    assert not told(first) & told(later) and not never & (told(first) | told(later)) and never
    assert len(told(first)) == len(told(later)) == 10
    months, others = (next(group.holders for group in groups if group.kind == 'plan') for groups in (first, later))
    assert not set(months) & set(others)


def test_squares_of_groups_are_independent():
  """What one group tells of the member tells nothing of the next: all 16 pairs of places are as frequent."""
  pairs = np.zeros((4, 4))
  for family in range(800):
    one, two, *_ = person_facts.groups(5, family, Size(), 'first')
    pairs[one.by_member[0][person_facts.NOW], two.by_member[0][person_facts.NOW]] += 1
  assert abs(pairs - 50).max() < 31


def test_a_strand_tells_changes_in_their_order():
  group = next(g for g in person_facts.groups(0, 0, Size(), 'first') if g.kind == 'evolution')
  strand, = person_facts.strands(group, 1, draws())
  for before, after in zip(strand, strand[1:]):
    assert before.mentions[0] == after.mentions[1]
    assert words.spoken(before.mentions[0]) in words.spoken(after.words)


@pytest.mark.parametrize('chosen', [dict(preferences=-1), dict(preferences=12), dict(attributes=5), dict(plans=2),
                                    dict(preferences=0, evolutions=0, ideas=0, attributes=0, plans=0)])
def test_sizes_that_cannot_be_are_refused(chosen):
  with pytest.raises(InputError, match='A person (needs|has at most)'):
    Size(**chosen)
