"""An error names the nearest thing that exists."""

import pytest

from latentmem.base import errors


@pytest.mark.parametrize('word, said', [('chunck', " (did you mean 'chunk'?)"), ('zzz', ''), ('', '')])
def test_hint_is_the_nearest_or_nothing(word, said):
  assert errors.hint(word, ['width', 'chunk', 'heads']) == said


def test_hint_takes_any_iterable():
  assert errors.hint('widht', (name for name in ('width', 'chunk'))) == " (did you mean 'width'?)"
  assert errors.hint('widht', {'width': 1}) == " (did you mean 'width'?)"


def test_what_is_known_passes_and_the_rest_is_one_error():
  errors.check_known('slow', iter(('fast', 'slow')), 'car', 'gear')
  with pytest.raises(errors.InputError) as caught:
    errors.check_known('slwo', iter(('fast', 'slow')), 'car', 'gear')
  assert str(caught.value) == "car has no gear 'slwo' (did you mean 'slow'?); it has ['fast', 'slow']."
  with pytest.raises(errors.InputError, match=r'car has no gear \[1\]; it has'):
    errors.check_known([1], {'fast': 1}, 'car', 'gear')


def test_an_input_error_is_a_value_error():
  with pytest.raises(ValueError, match='no'):
    raise errors.InputError('no')
