"""What readers of files are tried with: any text, any JSON, and a value of a file put in the place of another."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Halves of letters too, which JSON can hold and no file of text.
TEXT = st.text(st.characters(), max_size=9) | st.text(st.characters(categories=['Cs']), max_size=2)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(whole, place: tuple, value, key: str | None = None) -> None:
  """Puts a value at a path of keys; with a `key`, under that one instead of the last."""
  *outer, last = place
  for step in outer:
    whole = whole[step]
  if key is not None and isinstance(whole, dict):
    del whole[last]
    last = key
  whole[last] = value
