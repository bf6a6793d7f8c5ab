"""An item says something, in tokens that the base has, and fits."""

import pytest

from latentmem.base.errors import InputError
from latentmem.personal.profile import check_item, Item
from tests.personal.store_test import FITS


@pytest.mark.parametrize('question, answer, said', [
    ((1,) * 5, (1, 2), 'question of 5 tokens'), ((1,), (1,), 'an answer has 2 or more'),
    ((1,), (1,) * 4, 'answer of 4'), ((10,), (1, 2), 'the token 10, and the base has 10'),
    ((1,), (1, -1), 'the token -1')])
def test_items_that_cannot_be_are_refused(question, answer, said):
  with pytest.raises(InputError, match=said):
    check_item(Item(question, answer), FITS)


def test_an_item_may_have_no_question():
  assert check_item(Item((), (1, 2)), FITS) == Item((), (1, 2))


def test_who_is_refused_is_told_where_it_stands():
  with pytest.raises(InputError, match='^ann.safetensors, item 3, has a question of 5 tokens'):
    check_item(Item((1,) * 5, (1, 2)), FITS, 'ann.safetensors, item 3,')
