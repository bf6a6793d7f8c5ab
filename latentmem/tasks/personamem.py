"""PersonaMem v1: four answers to choose from after weeks of chat (Jiang et al. 2025, arXiv 2504.14225), as published.

A folder holds, for a version of 32k, 128k or 1M tokens,

    questions_<version>.csv          persona_id, question_id, question_type, topic, user_question_or_message,
                                     correct_answer '(a)', all_options (a Python list of four texts '(a) ...'),
                                     shared_context_id, end_index_in_shared_context, and how far the evidence lies
    shared_contexts_<version>.jsonl  a line: {shared_context_id: [{role, content}, ...]}

A question is asked after the first end_index turns of its context. Scores are accuracies, by type.

Options of the published files differ in length with their kind: the longest alone is right half of the time. A trained
arm without the history is what any other has to be compared with.
"""

import ast
import collections
import csv
import io
import pathlib
import re
from typing import NamedTuple
import warnings

from latentmem.base.errors import hint, InputError
from latentmem.tasks import files

VERSIONS = ('32k', '128k', '1M')
LETTERS = 'abcd'
COLUMNS = ('persona_id', 'question_id', 'question_type', 'topic', 'user_question_or_message', 'correct_answer',
           'all_options', 'shared_context_id', 'end_index_in_shared_context')
DISTANCE = 'distance_to_ref_in_tokens'
# The published files have these too; an unknown column that is nearly one of all is refused.
MORE_COLUMNS = (DISTANCE, 'context_length_in_tokens', 'context_length_in_letters', 'distance_to_ref_in_blocks',
                'num_irrelevant_tokens', 'distance_to_ref_proportion_in_context')
MAY_BE_EMPTY = ('topic',)
# How one of four answers is chosen: by its letter, or by its text.
BY = ('letter', 'text')
ROLES = ('system', 'user', 'assistant')
# What the versions call the same type.
SAME = dict(revisit_reasons_behind_preference_updates='recalling_the_reasons_behind_previous_updates',
            generalize_to_new_scenarios='generalizing_to_new_scenarios',
            track_full_preference_updates='track_full_preference_evolution')
LONGEST_OPTIONS = 100_000
# What an answer's letter stands behind.
FINAL = '<final_answer>'
ASKING = ('Find the most appropriate model response and give your final answer (a), (b), (c), or (d) after the special '
          f'token {FINAL}.')


class Question(NamedTuple):
  """A question.

  Attributes:
    name: question_id.
    person: persona_id.
    kind: question_type, by one name in all versions.
    topic: What it is about.
    text: What the user says.
    options: The four answers, without their letters, a to d.
    right: Which of them is.
    context: shared_context_id.
    end: Turns of the context that come before.
    distance: Tokens between evidence and question as the file has it; None where it has none.
  """

  name: str
  person: str
  kind: str
  topic: str
  text: str
  options: list[str]
  right: int
  context: str
  end: int
  distance: float | None

  @property
  def prompt(self) -> str:
    """What the user's last turn says."""
    return '\n\n'.join([self.text, ASKING, '\n'.join(f'({a}) {text}' for a, text in zip(LETTERS, self.options))])


class Bench(NamedTuple):
  """Questions, and by id the chats that they are asked after: each turn a dict of role and content."""

  questions: list[Question]
  contexts: dict[str, list[dict]]

  def history(self, question: Question) -> list[dict]:
    """The turns before a question."""
    return self.contexts[question.context][:question.end]


def read(folder, version: str = '32k') -> Bench:
  """A version's questions and contexts. Raises InputError that names file, question or turn, and key."""
  if version not in VERSIONS:
    raise InputError(f'PersonaMem v1 has the versions {VERSIONS}, not {version!r}.')
  place = pathlib.Path(folder)
  contexts = _contexts(place / f'shared_contexts_{version}.jsonl')
  return Bench(_questions(place / f'questions_{version}.csv', contexts), contexts)


def _contexts(path):
  contexts = {}
  for number, line in enumerate(files.text_of(path).split('\n')):
    if not line.strip():
      continue
    where = f'{path}, line {number + 1}'
    record = files.expect(files.json_of(line, where), dict, where)
    for name, turns in record.items():
      if name in contexts:
        raise InputError(f'{where}: the context {name!r} is there twice.')
      contexts[name] = [_turn(turn, f'{where}, context {name!r}, turn {i}')
                        for i, turn in enumerate(files.expect(turns, list, f'{where}, context {name!r}'))]
  if not contexts:
    raise InputError(f'{path} holds no contexts.')
  return contexts


def _turn(record, where):
  turn = {key: files.need(record, key, str, where) for key in ('role', 'content')}
  if turn['role'] not in ROLES:
    raise InputError(f"{where}: 'role' is {turn['role']!r}{hint(turn['role'], ROLES)}; it takes {list(ROLES)}.")
  return turn


def _questions(path, contexts):
  try:
    rows = csv.DictReader(io.StringIO(files.text_of(path), newline=''), strict=True)
    _check_columns(list(rows.fieldnames or ()), path)
    found = [_question(row, contexts, f'{path}, question {i}') for i, row in enumerate(rows)]
  except csv.Error as e:
    raise InputError(f'{path} is not CSV: {e}.') from e
  if not found:
    raise InputError(f'{path} holds no questions.')
  return found


def _check_columns(names, path):
  missing = [name for name in COLUMNS if name not in names]
  if missing:
    unknown = [name for name in names if name not in COLUMNS + MORE_COLUMNS]
    raise InputError(f'{path} has no columns {missing}{hint(missing[0], unknown)}; it has {names}.')
  files.check_spelling(dict.fromkeys(names), COLUMNS + MORE_COLUMNS, str(path))
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise InputError(f'{path} has the columns {twice} twice.')


def _question(row, contexts, where):
  if None in row:
    raise InputError(f'{where} has {len(row[None])} cells more than there are columns.')
  given = {name: files.need(row, name, str, where) for name in COLUMNS}
  for name, cell in given.items():
    if not cell.strip() and name not in MAY_BE_EMPTY:
      raise InputError(f'{where}: {name!r} is {cell!r}; it takes a text.')
  name, context, end = given['question_id'], given['shared_context_id'], given['end_index_in_shared_context']
  where = f'{where} ({name!r})'
  if context not in contexts:
    raise InputError(f"{where}: 'shared_context_id' is {context!r}, and no line of the contexts has it.")
  if not re.fullmatch('[0-9]{1,9}', end) or int(end) > len(contexts[context]):
    raise InputError(f"{where}: 'end_index_in_shared_context' is {end!r}, and its context has "
                     f'{len(contexts[context])} turns.')
  options = _options(given['all_options'], where)
  letter = given['correct_answer'].strip().strip('()').lower()
  if len(letter) != 1 or letter not in LETTERS:
    raise InputError(f"{where}: 'correct_answer' is {given['correct_answer']!r}, not one of (a) to (d).")
  kind = SAME.get(given['question_type'], given['question_type'])
  return Question(name, given['persona_id'], kind, given['topic'], given['user_question_or_message'], options,
                  LETTERS.index(letter), context, int(end), _distance(row.get(DISTANCE), where))


def _distance(text, where) -> float | None:
  if text is None or not text.strip():
    return None
  if not re.fullmatch(r'\s*-?[0-9]{1,12}(?:\.[0-9]{0,9})?\s*', text):
    raise InputError(f'{where}: {DISTANCE!r} is {text[:80]!r}, which is no number.')
  return float(text)


def _options(text, where):
  """Four texts from a Python list of them, '(a) ...' to '(d) ...' in any order."""
  listed = None
  if len(text) <= LONGEST_OPTIONS:
    try:
      with warnings.catch_warnings(action='ignore', category=SyntaxWarning):
        listed = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
      pass
  texts = listed if isinstance(listed, list) and all(isinstance(option, str) for option in listed) else []
  found = [re.fullmatch(r'\s*\(([a-d])\)\s*(.*)', option, re.DOTALL) for option in texts]
  if not all(found) or sorted(option[1] for option in found if option) != list(LETTERS):
    raise InputError(f"{where}: 'all_options' is no list of four texts that begin with (a), (b), (c) and (d): "
                     f'{text[:80]!r}.')
  return [option[2] for option in sorted(found, key=lambda option: option[1])]


def transcript(turns: list[dict]) -> str:
  """A chat as text, a turn a paragraph that opens with who speaks."""
  return ''.join(f'{_opened(turn["role"], turn["content"])}\n' for turn in turns)


def unnamed(turns: list[dict]) -> list[dict]:
  """A chat without the names that turns of the published files may open with: a chat template tells who speaks."""
  return [dict(turn, content=turn['content'].removeprefix(f'{_name(turn["role"])} ')) for turn in turns]


def _name(role: str) -> str:
  return f'{role.capitalize()}:'


def _opened(role: str, text: str) -> str:
  # Turns of the published files may open so already.
  return text if text.startswith(_name(role)) else f'{_name(role)} {text}'


def answers(question: Question, by: str) -> list[tuple[str, str]]:
  """What stands before each of the four answers, and the answer: its letter after all options, or its text.

  Args: by: One of BY.
  """
  if by == 'text':
    return [(f'{_opened("user", question.text)}\nAssistant:', f' {option}\n') for option in question.options]
  before = f'{_opened("user", question.prompt)}\nAssistant: {FINAL}'
  return [(before, f' ({letter})') for letter in LETTERS]


def longest(question: Question) -> int:
  """The rule that reads nothing but lengths: the longest option, the first of equals."""
  return max(range(len(question.options)), key=lambda i: len(question.options[i]))


def said(output: str) -> set[str]:
  """The letters that a text names as its answer: those in brackets, or else those that stand alone."""
  output = output.lower()
  return set(re.findall(r'\(([a-d])\)', output)) or set(re.findall(r'\b([a-d])\b', output))


def is_right(output: str, question: Question) -> bool:
  """The official reading of a text: one letter, the right one, after its last FINAL or in all of it."""
  right = {LETTERS[question.right]}
  return said(output.rpartition(FINAL)[2]) == right or said(output) == right


def accuracy(questions: list[Question], right: list[bool]) -> dict:
  """`accuracy`, `asked`, and both `by_type`."""
  by_type = collections.defaultdict(list)
  for question, was in zip(questions, right, strict=True):
    by_type[question.kind].append(bool(was))
  share = lambda answers: dict(accuracy=sum(answers) / len(answers) if answers else None, asked=len(answers))
  return share([bool(was) for was in right]) | dict(by_type={kind: share(by_type[kind]) for kind in sorted(by_type)})
