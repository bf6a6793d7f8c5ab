"""Fields are all on record, and those that make no sense are refused."""

import pytest

from latentmem.base.errors import InputError
from latentmem.train import settings


def test_every_field_is_filled():
  filled = settings.train_fields(steps=3)
  assert filled['steps'] == 3 and filled['clip'] == 1.0 and settings.build(settings.Train, filled)


@pytest.mark.parametrize('fields, words', [
    (dict(step=3), "no field 'step' .did you mean 'steps'"),
    (dict(steps=0), 'steps=0 is too small; it must be at least 1'),
    (dict(rows=8, accumulate=3), 'accumulate=3 does not divide rows=8'),
    (dict(keep=1), 'keep=1 is too small; it must be at least 2'),
    (dict(enough=1.5), 'enough=1.5 is a share'),
    (dict(enough=0.5), 'enough=0.5 is asked of held-out scores; it needs evaluate_every above 0'),
    (dict(clip=-1.0), 'clip=-1.0 is too small'),
    (dict(schedule='lineal'), "did you mean 'linear'"),
    (dict(undecayed='('), 'undecayed'),
])
def test_wrong_fields_are_refused(fields, words):
  with pytest.raises(InputError, match=words):
    settings.train_fields(**fields)


def test_evaluation_has_its_own_fields():
  assert settings.evaluate_fields() == dict(rows=8, length=0, batches=0)
  with pytest.raises(InputError, match="evaluate has no field 'lenght' .did you mean 'length'"):
    settings.evaluate_fields(lenght=3)
