"""The split is by name: stable, disjoint, and on record."""

import dataclasses

import pytest

from latentmem.base.errors import InputError
from latentmem.data.corpora import interface
from latentmem.data.corpora.interface import Document


@dataclasses.dataclass(frozen=True)
class Given(interface.Base):
  """A corpus of given documents."""

  given: tuple = ()

  def documents(self):
    yield from self.given

  def where(self):
    return 'The corpus'


def corpus(n, heldout=0.2, **fields):
  return Given(given=tuple(Document(f'd{i}', f'text {i}') for i in range(n)), heldout=heldout, **fields)


def test_sides_are_disjoint_and_hold_all():
  split = corpus(200).read()
  train, held = ({d.name for d in side} for side in (split.train, split.heldout))
  assert not train & held and train | held == {f'd{i}' for i in range(200)}
  # 40 expected of 200; five standard deviations.
  assert abs(len(held) - 40) < 5 * (200 * 0.2 * 0.8) ** 0.5


def test_a_document_stays_on_its_side_when_others_come():
  small, large = corpus(100).read(), corpus(300).read()
  assert [d.name for d in small.heldout] == [d.name for d in large.heldout if int(d.name[1:]) < 100]


def test_a_larger_share_holds_what_a_smaller_did():
  assert {d.name for d in corpus(100, 0.1).read().heldout} < {d.name for d in corpus(100, 0.3).read().heldout}


def test_the_split_is_this_one_for_good():
  # By hand: printf d0 | sha256sum, its first 16 digits as a fraction.
  assert [i for i in range(30) if interface.falls_out(f'd{i}', 0.1)] == [0]


def test_the_fingerprint_tells_names_texts_and_sides():
  base = (Document('a', 'one', False), Document('b', 'two', True))
  others = [(Document('x', 'one', False), base[1]), (Document('a', 'uno', False), base[1]),
            (Document('a', 'one', True), Document('b', 'two', False)), (Document('a', 'onebheldtwo', False),)]
  prints = [Given(given=given, heldout=0.0).read().fingerprint for given in (base, *others)]
  assert len(set(prints)) == 5 and prints[0] == Given(given=base).read().fingerprint


def test_a_side_that_the_corpus_gives_is_kept():
  given = tuple(Document(f'd{i}', 'x', i % 2 == 0) for i in range(20))
  assert [d.name for d in Given(given=given).read().heldout] == [f'd{i}' for i in range(0, 20, 2)]


@pytest.mark.parametrize('given, heldout, says', [
    ((), 0.1, 'no text'), ((Document('a', ' \n'),), 0.1, 'no text'),
    ((Document('a', 'x', False),), 0.1, '1 to train on and 0 held out'),
    ((Document('a', 'x', True),), 0.1, '0 to train on')])
def test_an_empty_side_is_refused(given, heldout, says):
  with pytest.raises(InputError, match=says):
    Given(given=given, heldout=heldout).read()


def test_nothing_need_be_held_out():
  assert Given(given=(Document('a', 'x'),), heldout=0.0).read().heldout == []


@pytest.mark.parametrize('heldout', [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(heldout):
  with pytest.raises(InputError, match='share'):
    Given(heldout=heldout)
