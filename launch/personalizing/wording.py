"""Words to the tokens of a base that learned from generated persons, and back: what people write to a profile.

A line of a file of questions:  {"question": "what is my job ?", "options": ["baker", "pilot"], "answer": "pilot"}
A line of a file of turns:      {"role": "user", "content": "My job is pilot."}
"""

import json
import pathlib
import re

from latentmem.base.errors import hint, InputError
from latentmem.personal.profile import Item
from latentmem.tasks import persona_words as words

QUESTION, ANSWER, USER, ASSISTANT = (words.NUMBER[mark] for mark in (words.QUESTION, words.ANSWER, words.USER,
                                                                       words.ASSISTANT))
ROLES = dict(user=USER, assistant=ASSISTANT)


def tokens(text: str, where: str = 'the text') -> list[int]:
  """The numbers of words, marks like (a), and stops. Raises InputError for a word that the base does not know."""
  found = re.findall(r'<\w+>|\([a-d]\)|\w+|[.,?]', text.lower())
  unknown = [word for word in found if word not in words.NUMBER]
  if unknown:
    raise InputError(f'{where} has the word {unknown[0]!r}, which the base does not know'
                     f'{hint(unknown[0], words.NUMBER)}; it knows {len(words.WORDS)}.')
  return [words.NUMBER[word] for word in found]


def asked(question: str, options: list[str], where: str = 'the question') -> tuple[int, ...]:
  """The tokens of a question and its options."""
  if len(options) > len(words.LETTERS):
    raise InputError(f'{where} has {len(options)} options; it takes at most {len(words.LETTERS)}.')
  listed = [token for letter, option in zip(words.LETTERS, options)
            for token in (words.NUMBER[letter], *tokens(option, where))]
  return (QUESTION, *tokens(question, where), *listed)


def questions(path: str) -> list[Item]:
  """The questions in a file. Raises InputError for a line that is none, naming it and the key."""
  out = []
  for where, line in _lines(path, ('question', 'answer'), ('options',)):
    options = line.get('options', [])
    if not isinstance(options, list) or not all(isinstance(each, str) for each in options):
      raise InputError(f'{where}: options is {options!r}; it takes a list of texts.')
    answer = line['answer']
    if options and answer not in options:
      raise InputError(f'{where}: answer {answer!r} is none of the options{hint(answer, options)}.')
    said = words.LETTERS[options.index(answer)] if options else answer
    out.append(Item(asked(line['question'], options, where), (ANSWER, *tokens(said, where))))
  return out


def turns(path: str) -> list[Item]:
  """The turns in a file, each a text alone. Raises InputError for a line that is none, naming it and the key."""
  out = []
  for where, line in _lines(path, ('role', 'content'), ()):
    if line['role'] not in ROLES:
      raise InputError(f'{where}: role is {line["role"]!r}{hint(line["role"], ROLES)}; it takes {list(ROLES)}.')
    out.append(Item((), (ROLES[line['role']], *tokens(line['content'], where))))
  return out


def spoken(numbers) -> str:
  """The words of tokens."""
  return words.spoken(numbers)


def _lines(path: str, needed: tuple[str, ...], more: tuple[str, ...]):
  """(where, object) of each line of a file that is not empty."""
  try:
    text = pathlib.Path(path).read_text()
  except (OSError, UnicodeDecodeError) as error:
    raise InputError(f'{path} cannot be read: {getattr(error, "strerror", None) or error}.') from None
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
      if not isinstance(found.get(name), str):
        raise InputError(f'{where}: {name} is {found.get(name)!r}; it takes a text.')
    yield where, found
