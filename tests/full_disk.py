"""A disk that is full, or nearly: files that may not grow stand for it."""

import contextlib
import resource


@contextlib.contextmanager
def small_files(size: int):
  """Lets no file grow beyond `size` bytes."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
