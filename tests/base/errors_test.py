"""An error names the nearest thing that exists."""

import pytest

from latentmem.base import errors


@pytest.mark.parametrize('word, said', [('chunck', " (did you mean 'chunk'?)"), ('zzz', ''), ('', '')])
def test_hint_is_the_nearest_or_nothing(word, said):
  assert errors.hint(word, ['width', 'chunk', 'heads']) == said


def test_hint_takes_any_iterable():
  assert errors.hint('widht', (name for name in ('width', 'chunk'))) == " (did you mean 'width'?)"
  assert errors.hint('widht', {'width': 1}) == " (did you mean 'width'?)"


def test_an_input_error_is_a_value_error():
  with pytest.raises(ValueError, match='no'):
    raise errors.InputError('no')
