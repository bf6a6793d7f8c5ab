"""What people write to a profile as the items of a memory, and back; here in the words of generated persons.

A line of a file of questions:  {"question": "what is my job ?", "options": ["baker", "pilot"], "answer": "pilot"}
A line of a file of turns:      {"role": "user", "content": "My job is pilot."}

Q tokens of a question, A tokens of an answer.
"""

from collections.abc import Iterator
import json
import pathlib
import re

from latentmem.base.errors import hint, InputError
from latentmem.personal.profile import Item
from latentmem.tasks import persona_words as words

QUESTION, ANSWER, USER, ASSISTANT = (words.NUMBER[mark] for mark in (words.QUESTION, words.ANSWER, words.USER,
                                                                       words.ASSISTANT))
ROLES = dict(user=USER, assistant=ASSISTANT)


class Wording:
  """How a base writes what is asked, said and told.

  Attributes:
    question, answer: Q and A, the most that an item has room for.
  """

  # Whether options stand behind a question, each with a letter, which is the answer; and the most tokens of an answer
  # that is asked for without any.
  lists: bool = True
  longest: int = 1

  def __init__(self, question: int, answer: int):
    self.question, self.answer = question, answer

  def asked(self, question: str, options: list[str], where: str = 'The question') -> tuple[tuple[int, ...], int]:
    """The tokens of a question, with its options where they are listed, and the one that an answer begins with."""
    raise NotImplementedError

  def said(self, answer: str, where: str = 'The answer') -> tuple[int, ...]:
    """The tokens of an answer."""
    raise NotImplementedError

  def told(self, role: str, content: str, where: str = 'The turn') -> Item:
    """What somebody says, as an item."""
    raise NotImplementedError

  def spoken(self, numbers) -> str:
    """The text of tokens."""
    raise NotImplementedError

  def ended(self, numbers: list[int]) -> bool:
    """Whether the tokens of an answer hold its end."""
    return False

  def size(self, option: str) -> int:
    """What -log p of an option is divided by, so that it may be compared with another's."""
    return 1

  def check_options(self, options: list[str], where: str) -> None:
    """Raises InputError for options that have no letters."""
    if self.lists and len(options) > len(words.LETTERS):
      raise InputError(f'{where} has {len(options)} options; it takes at most {len(words.LETTERS)}.')

  def item(self, question: str, options: list[str], answer: str, where: str) -> Item:
    """A question and its answer; the letter of it where options are listed. Raises InputError that says where."""
    read, begins = self.asked(question, options, where)
    said = words.LETTERS[options.index(answer)] if options and self.lists else answer
    return self.fitting(Item(read, (begins, *self.said(said, where))), where)

  def fitting(self, item: Item, where: str) -> Item:
    """The item. Raises InputError where it is too long, and says where."""
    for name, found, room in (('question', len(item.question), self.question),
                              ('answer', len(item.answer) - 1, self.answer - 1)):
      if found > room:
        what = name if item.question else 'text'
        raise InputError(f'{where}: the {what} has {found} tokens, and there is room for {room}; a shorter one would '
                         'do, or several.')
    return item

  def questions(self, path: str) -> list[Item]:
    """The questions in a file. Raises InputError for a line that is none, naming it and the key."""
    out = []
    for where, line in _lines(path, ('question', 'answer'), ('options',)):
      options = line.get('options', [])
      if not isinstance(options, list) or not all(isinstance(each, str) and each.strip() for each in options):
        raise InputError(f'{where}: options is {options!r}; it takes a list of texts.')
      answer = line['answer']
      if options and answer not in options:
        raise InputError(f'{where}: answer {answer!r} is none of the options{hint(answer, options)}.')
      out.append(self.item(line['question'], options, answer, where))
    return out

  def turns(self, path: str) -> list[Item]:
    """The turns in a file, each a text alone. Raises InputError for a line that is none, naming it and the key."""
    out = []
    for where, line in _lines(path, ('role', 'content'), ()):
      if line['role'] not in ROLES:
        raise InputError(f'{where}: role is {line["role"]!r}{hint(line["role"], ROLES)}; it takes {list(ROLES)}.')
      out.append(self.fitting(self.told(line['role'], line['content'], where), where))
    return out


class Words(Wording):
  """The closed vocabulary of generated persons, where a word is a token."""

  def asked(self, question, options, where='The question'):
    self.check_options(options, where)
    listed = [token for letter, option in zip(words.LETTERS, options)
              for token in (words.NUMBER[letter], *tokens(option, where))]
    return (QUESTION, *tokens(question, where), *listed), ANSWER

  def said(self, answer, where='The answer'):
    return tuple(tokens(answer, where))

  def told(self, role, content, where='The turn'):
    return Item((), (ROLES[role], *tokens(content, where)))

  def spoken(self, numbers):
    return words.spoken(numbers)


def tokens(text: str, where: str = 'The text') -> list[int]:
  """The numbers of words, marks like (a), and stops. Raises InputError for a word that the base does not know."""
  found = re.findall(r'<\w+>|\([a-d]\)|\w+|[.,?]', text.lower())
  unknown = [word for word in found if word not in words.NUMBER]
  if unknown:
    raise InputError(f'{where} has the word {unknown[0]!r}, which the base does not know'
                     f'{hint(unknown[0], words.NUMBER)}; it knows {len(words.WORDS)}.')
  if not found:
    raise InputError(f'{where} has no word in {text!r}; the base knows {len(words.WORDS)}, such as '
                     f'{words.spoken(range(20, 23))}.')
  return [words.NUMBER[word] for word in found]


def _lines(path: str, needed: tuple[str, ...], more: tuple[str, ...]) -> Iterator[tuple[str, dict]]:
  """(where, object) of each line of a file that is not empty."""
  try:
    text = pathlib.Path(path).read_text()
  except (OSError, UnicodeDecodeError) as error:
    raise InputError(f'{path} cannot be read: {getattr(error, "strerror", None) or error}.') from None
  if not text.strip():
    raise InputError(f'{path} is empty; it takes lines with {list(needed)}.')
  for number, line in enumerate(text.split('\n'), 1):
    if not line.strip():
      continue
    where = f'{path}, line {number}'
    try:
      found = json.loads(line)
    except (ValueError, RecursionError):
      raise InputError(f'{where} is not JSON: {line[:60]!r}.') from None
    if not isinstance(found, dict):
      raise InputError(f'{where} is no object with {list(needed)}: {line[:60]!r}.')
    for name in found:
      if name not in needed + more:
        raise InputError(f'{where}: no key {name!r}{hint(name, needed + more)}; it takes {[*needed, *more]}.')
    for name in needed:
      if not isinstance(found.get(name), str) or not found[name].strip():
        raise InputError(f'{where}: {name} is {found.get(name)!r}; it takes a text.')
    yield where, found
