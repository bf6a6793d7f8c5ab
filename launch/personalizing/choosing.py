"""PersonaMem's questions, answered by a base that reads the chat before them itself: the likeliest of four answers.

    choice = argmin over answers of -log p(answer | chat, question) / bytes of the answer

T tokens, Q tokens before an answer, A tokens of it.
"""

import dataclasses
import functools
import hashlib
import json
import time

import numpy as np

from latentmem.base.errors import InputError
from latentmem.data import spoken
from latentmem.personal import counts
from latentmem.study import personal
from latentmem.tasks import personamem
from launch import comparing
from launch.personalizing import reading

PIECE = 512
CAPTION = 'Right answers of a base that reads the chat itself, and 95 % intervals; chance is 25 %.'
NOTES = '''right, least, most: share of right answers and its 95 % interval (Wilson); chance is 25 %
longest option: the rule that looks at nothing but the lengths of the options
kv_bytes: keys and values of what stands before a question, on average: its chat, and what a template opens it with'''


@dataclasses.dataclass(frozen=True)
class Questions:
  """Questions and their chats in a base's tokens.

  Attributes:
    bench: As `personamem.read` gives it.
    speech: How the base is asked: in plain text, where every turn is a paragraph that opens with who speaks, or by a
      chat template.
    by: How an answer is chosen, of `personamem.BY`.
  """

  bench: personamem.Bench
  speech: spoken.Speech
  by: str = 'letter'

  @functools.cached_property
  def fingerprint(self) -> str:
    return hashlib.sha256(json.dumps([*self.bench, self.speech.fingerprint, self.by]).encode()).hexdigest()

  def before(self, question: personamem.Question, alone: bool = False) -> str:
    """The chat before a question, nothing of it where the question stands alone, and what a template opens it with.

    Raises InputError for a chat that the template refuses.
    """
    turns = [] if alone else self.bench.history(question)
    if self.speech.template is None:
      return personamem.transcript(turns)
    try:
      return self.speech.opened(personamem.unnamed(turns))
    except InputError as error:
      raise InputError(f'The first {question.end} turns of context {question.context!r}: {error}') from error

  def history(self, question: personamem.Question, last: int | None) -> np.ndarray:
    """The last so many tokens of that; all for 0, and for None those of a question alone."""
    return self.speech.coder.encode(self.before(question, alone=last is None))[-(last or 0):]

  def answers(self, question: personamem.Question) -> list[tuple[str, str]]:
    """What stands between the chat and each of the four answers of a question, and the answer."""
    if self.speech.template is None:
      return personamem.answers(question, self.by)
    if self.by == 'text':
      return [(self.speech.asked(question.text), option) for option in question.options]
    before = self.speech.asked(question.prompt) + personamem.FINAL
    return [(before, f' ({letter})') for letter in personamem.LETTERS]

  @functools.cached_property
  def rows(self) -> list[list[dict]]:
    """Of each question a row an answer, all of one length."""
    coder = self.speech.coder
    coded = [[(coder.encode(before).tolist(), *coder.encode_sized(said)) for before, said in self.answers(question)]
             for question in self.bench.questions]
    each = [one for four in coded for one in four]
    question, answer = max(len(before) for before, _, _ in each) - 1, max(len(said) for _, said, _ in each) + 1
    return [[spoken.laid(*one, question, answer) for one in four] for four in coded]


def check(asked: Questions, base) -> None:
  """Raises InputError where the tokens are not the base's, or a template refuses a chat."""
  vocab = asked.speech.coder.vocab
  if vocab > base.fields['vocab']:
    raise InputError(f'The base in {base.folder} has {base.fields["vocab"]:,} tokens, and its tokenizer {vocab:,}: '
                     'they do not belong together.')
  for question in {(each.context, each.end): each for each in asked.bench.questions}.values():
    asked.before(question)


def scored(base, asked: Questions, last: int | None) -> dict:
  """Scores of the base behind the last so many tokens of each chat (0 for all, None for none), by type of question."""
  questions, begun = asked.bench.questions, time.monotonic()
  # Questions after the same turns read them once.
  places = {}
  for number, question in enumerate(questions):
    places.setdefault((question.context, question.end), []).append(number)
  texts = {place: asked.history(questions[numbers[0]], last) for place, numbers in places.items()}
  read = reading.Reader(base, max(map(len, texts.values())), len(asked.rows[0][0]['tokens_BT']), 1, PIECE)
  chosen = {}
  for place, numbers in places.items():
    carry = read.history(texts[place])
    chosen |= {number: _chosen(read, carry, asked.rows[number]) for number in numbers}
  return result(questions, [chosen[number] for number in range(len(questions))]) | dict(
      history=float(np.mean([len(texts[question.context, question.end]) for question in questions])),
      seconds=time.monotonic() - begun)


def _chosen(read: reading.Reader, carry, rows: list[dict]) -> int:
  """The likeliest answer, a byte of it. One row at a time: each holds the chat's keys and values anew."""
  costs = []
  for row in rows:
    nats_1T, _ = read.questions(carry, row['tokens_BT'][None], row['targets_BT'][None])
    costs.append((nats_1T[0] * row['weights_BT']).sum() / row['bytes_BT'].sum())
  return int(np.argmin(costs))


def result(questions: list[personamem.Question], chosen: list[int]) -> dict:
  """Accuracy in all and by type, and the letter that was chosen for each question_id."""
  found = personamem.accuracy(questions, [choice == each.right for choice, each in zip(chosen, questions)])
  return found | dict(tokens=found['asked'], chosen={
      each.name: personamem.LETTERS[choice] for each, choice in zip(questions, chosen)})


def tell(folder, asked: Questions, pages: dict[str, dict], base) -> str:
  """Writes the table of what a base scored, by name, beside the rule of the longest option, and returns its text."""
  questions = asked.bench.questions
  rule = result(questions, [personamem.longest(each) for each in questions]) | dict(history=0)
  rows = [personal.of_base(name, page | dict(kv_bytes=counts.kv_bytes(base.fields, round(page['history']))))
          for name, page in (pages | {'longest option': rule}).items()]
  text = personal.table(rows, NOTES)
  record = dict(rows=rows, by=asked.by, template=asked.speech.template is not None, data=asked.fingerprint,
                base=dict(folder=base.folder, fingerprint=base.fingerprint))
  comparing.keep(folder, record, text, dict(table=(CAPTION, personal.draw(rows, folder.name))), [])
  return text
