"""Items of a memory in free text, by the tokens of the base, and its chat template where the run was asked by one."""

import contextlib

from latentmem.base.errors import InputError
from latentmem.data.persona_text import listed
from latentmem.data.spoken import Speech
from latentmem.personal.profile import Item
from launch.personalizing.wording import Wording


class Text(Wording):
  """Any text.

  Attributes:
    speech: How the base is asked.
    lists: Whether options stand behind a question.
  """

  def __init__(self, question: int, answer: int, speech: Speech, lists: bool):
    super().__init__(question, answer)
    self.speech, self.lists = speech, lists

  @property
  def longest(self):
    return self.answer - 1

  def asked(self, question, options, where='The question'):
    self.check_options(options, where)
    return self._parted(self.speech.question(listed(question, options) if self.lists else question), where)

  def said(self, answer, where='The answer'):
    with _told(where):
      return tuple(self.speech.coder.encode(self.speech.answer(answer)).tolist())

  def told(self, role, content, where='The turn'):
    before, begins = self._parted(self.speech.speaker(role), where)
    return Item(before, (begins, *self.said(content, where)))

  def spoken(self, numbers):
    return ' '.join(self.speech.coder.decode(numbers).removesuffix(self.speech.ends).split())

  def ended(self, numbers):
    return self.speech.ends in self.speech.coder.decode(numbers)

  def size(self, option):
    return 1 if self.lists else len(self.speech.answer(option).encode())

  def _parted(self, text, where):
    """The tokens of what stands before, and the last of them, which begins what is said."""
    with _told(where):
      *before, begins = self.speech.coder.encode(text).tolist()
    return tuple(before), begins


@contextlib.contextmanager
def _told(where):
  """An error of the tokens, with where the text stands."""
  try:
    yield
  except InputError as error:
    raise InputError(f'{where}: {error}') from error
