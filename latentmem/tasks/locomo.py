"""LoCoMo: questions about long conversations of two (Maharana et al. 2024, arXiv 2402.17753), and its own metric.

A file is a JSON list; each conversation has

    sample_id       its name
    conversation    speaker_a, speaker_b, and for N = 1, 2, ...: session_N_date_time, session_N, a list of turns with
                    speaker, dia_id ('D1:3'), text, and for a shared picture blip_caption
    qa              question, answer (or adversarial_answer), category, evidence (dia_ids)

`score` is the official metric, category by category:

    1 multi-hop      mean over the answer's parts between commas of the best F1 of any part of the output
    2 temporal, 3 open-domain (the answer up to its first ';'), 4 single-hop        F1
    5 adversarial    1 if the output says 'no information available' or 'not mentioned', else 0

F1 of two texts counts their words in common, after lower case, without punctuation, without 'a', 'an', 'the' and 'and',
each word reduced by NLTK's Porter stemmer, which the official code uses and which differs from Porter's paper.
"""

import collections
import functools
import hashlib
import pathlib
import re
import string
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import bm25, files

CATEGORIES = {1: 'multi-hop', 2: 'temporal', 3: 'open-domain', 4: 'single-hop', 5: 'adversarial'}
REFUSALS = ('no information available', 'not mentioned')
NOT_MENTIONED = 'Not mentioned in the conversation'
WRONG_ANSWERS = 9
# What the published files have; an unknown key that is nearly one of these is refused.
RECORD_KEYS = ('sample_id', 'conversation', 'qa', 'observation', 'session_summary', 'event_summary')
TURN_KEYS = ('speaker', 'dia_id', 'text', 'blip_caption', 'img_url', 'query', 're-download')
QUESTION_KEYS = ('question', 'answer', 'adversarial_answer', 'category', 'evidence')


class Turn(NamedTuple):
  """What one of the two says.

  Attributes:
    name: 'D1:3'.
    date: Of its session, as written: '1:56 pm on 8 May, 2023'.
    speaker: Who says it.
    text: What.
    caption: Of a picture that is shown with it, or ''.
  """

  name: str
  date: str
  speaker: str
  text: str
  caption: str

  @property
  def whole(self) -> str:
    """Speaker, text and caption."""
    return ' '.join(filter(None, (self.speaker, self.text, self.caption)))


class Question(NamedTuple):
  """A question.

  Attributes:
    text: What is asked.
    answer: What should be said; of category 5 what should not.
    category: 1 to 5.
    evidence: Numbers of the turns that answer it. Names in the file that are no turn's are left out.
  """

  text: str
  answer: str
  category: int
  evidence: list[int]


class Conversation(NamedTuple):
  """Turns in the order of their sessions, and what is asked about them."""

  name: str
  speakers: tuple[str, str]
  turns: list[Turn]
  questions: list[Question]

  def ranking(self) -> bm25.Ranking:
    """Its turns, for `best(question)`."""
    return bm25.Ranking([turn.whole for turn in self.turns])


def read(path) -> list[Conversation]:
  """The conversations of a file, or of all .json files in a folder. Raises InputError that names file, turn and key."""
  place = pathlib.Path(path)
  found = sorted(place.glob('*.json')) if place.is_dir() else [place]
  if not found:
    raise InputError(f'No LoCoMo at {str(path)!r}: a .json file or a folder of them would do.')
  conversations, places = [], {}
  for file in found:
    for i, conversation in enumerate(_of_file(file)):
      where = f'{file}, conversation {i}'
      if conversation.name in places:
        raise InputError(f"{where}: 'sample_id' is {conversation.name!r}, as in {places[conversation.name]}.")
      places[conversation.name] = where
      conversations.append(conversation)
  return conversations


def _of_file(file):
  records = files.expect(files.json_of(files.text_of(file), str(file)), list, str(file))
  return [_conversation(record, f'{file}, conversation {i}') for i, record in enumerate(records)]


def _conversation(record, where):
  name = files.need(record, 'sample_id', str, where)
  where = f'{where} ({name!r})'
  said = files.need(record, 'conversation', dict, where)
  speakers = tuple(files.need(said, key, str, where) for key in ('speaker_a', 'speaker_b'))
  files.check_spelling(said, _conversation_keys(said), where)
  numbers = sorted(int(found[1]) for found in (re.fullmatch(r'session_([0-9]{1,6})', key) for key in said) if found)
  turns = [turn for number in numbers for turn in _session(said, f'session_{number}', where)]
  place = {turn.name: i for i, turn in enumerate(turns)}
  if not turns or len(place) < len(turns):
    raise InputError(f"{where} has {len(turns)} turns, {len(place)} of them with a 'dia_id' of their own.")
  asked = files.need(record, 'qa', list, where)
  files.check_spelling(record, RECORD_KEYS, where)
  return Conversation(name, speakers, turns,
                      [_question(record, place, f'{where}, question {i}') for i, record in enumerate(asked)])


def _conversation_keys(said):
  """What stands in a conversation of as many sessions as its keys count, however they are spelt."""
  numbers = {found[0] for found in (re.search('[0-9]{1,6}', key) for key in said) if found}
  return ['speaker_a', 'speaker_b', *(f'session_{n}{end}' for n in sorted(numbers) for end in ('', '_date_time'))]


def _session(said, key, where):
  date = files.need(said, f'{key}_date_time', str, where)
  for i, record in enumerate(files.need(said, key, list, where)):
    turn = f'{where}, {key}, turn {i}'
    name, speaker, text = (files.need(record, key, str, turn) for key in ('dia_id', 'speaker', 'text'))
    caption = files.need(record, 'blip_caption', str, turn) if 'blip_caption' in record else ''
    files.check_spelling(record, TURN_KEYS, turn)
    yield Turn(name, date, speaker, text, caption)


def _question(record, place, where):
  category = files.need(record, 'category', int, where)
  if category not in CATEGORIES:
    raise InputError(f"{where}: 'category' is {category!r}; LoCoMo has {CATEGORIES}.")
  key = 'adversarial_answer' if category == 5 else 'answer'
  named = files.need(record, 'evidence', list, where)
  text, answer = files.need(record, 'question', str, where), files.need(record, key, (str, int, float), where)
  files.check_spelling(record, QUESTION_KEYS, where)
  names = [name for each in named for name in re.split(r'[;,\s]+', files.expect(each, str, f"{where}, 'evidence'"))]
  return Question(text, str(answer), category, [place[name] for name in dict.fromkeys(names) if name in place])


def score(output: str, question: Question) -> float:
  """The official metric, 0 to 1. Raises InputError where NLTK is not installed."""
  if question.category == 5:
    return float(any(refusal in output.lower() for refusal in REFUSALS))
  if question.category == 1:
    parts = output.split(',')
    return float(np.mean([max(f1(part, wanted) for part in parts) for wanted in question.answer.split(',')]))
  return f1(output, question.answer.split(';')[0] if question.category == 3 else question.answer)


def scored(questions: list[Question], outputs: list[str]) -> dict:
  """The official metric of what was said to questions: `f1` of those that can be answered, and all `by_type`.

  Each has its mean `f1` (of none: None), the standard `error` of that mean, and `asked`. Adversarial questions count in
  their own category alone, as in most published numbers. Raises InputError as `score`.
  """
  by_type = collections.defaultdict(list)
  for question, output in zip(questions, outputs, strict=True):
    by_type[CATEGORIES[question.category]].append(score(output, question))
  share = lambda values: dict(f1=float(np.mean(values)) if values else None, asked=len(values),
                              error=float(np.std(values) / len(values) ** 0.5) if values else None)
  whole = [value for kind, values in by_type.items() if kind != CATEGORIES[5] for value in values]
  return share(whole) | dict(by_type={kind: share(by_type[kind]) for kind in CATEGORIES.values() if kind in by_type})


def f1(output: str, answer: str) -> float:
  """F1 of the stemmed words of two texts."""
  said, wanted = (collections.Counter(_stems(text)) for text in (output, answer))
  common = (said & wanted).total()
  if not common:
    return 0.0
  precision, recall = common / said.total(), common / wanted.total()
  return 2 * precision * recall / (precision + recall)


def normalized(text: str) -> str:
  """Lower case, without punctuation, articles and 'and'."""
  text = ''.join(letter for letter in text.lower() if letter not in string.punctuation)
  return ' '.join(re.sub(r'\b(a|an|the|and)\b', ' ', text).split())


def _stems(text):
  stem = _stemmer()
  return [stem(word) for word in normalized(text).split()]


@functools.cache
def _stemmer():
  try:
    from nltk.stem.porter import PorterStemmer
  except ImportError as e:
    raise InputError("LoCoMo's F1 stems words as NLTK does, which is not installed: pip install nltk "
                     "(or 'latentmem[benchmarks]').") from e
  return functools.lru_cache(maxsize=100_000)(PorterStemmer().stem)


def choices(conversation: Conversation, number: int) -> tuple[list[str], int]:
  """Answers that a question is asked to choose from -> those, and which is right.

  Up to 9 wrong ones are answers to other questions of the same category and conversation that differ from the right one
  and each other after `normalized`: those whose SHA-256 with the conversation's name and the question's number is
  smallest. All are laid out in the order of these hashes, so the choice is the same everywhere and for every model.
  Of category 5 there are two, as in the official prompt: 'Not mentioned in the conversation', which is right, and the
  adversarial answer. Where a category has fewer answers there are fewer options: chance is 1 / len(options).
  """
  question = conversation.questions[number]
  key = lambda text: hashlib.sha256(f'{conversation.name}\0{number}\0{text}'.encode('utf-8', 'replace')).digest()
  right = question.answer
  if question.category == 5:
    right, wrong = NOT_MENTIONED, [question.answer]
  else:
    others = {normalized(other.answer): other.answer for other in reversed(conversation.questions)
              if other.category == question.category}
    others.pop(normalized(right), None)
    wrong = sorted(others.values(), key=key)[:WRONG_ANSWERS]
  options = sorted([right, *wrong], key=key)
  return options, options.index(right)


def evidence_recall(conversations: list[Conversation], ks=(1, 5, 10, 25, 50), rank=None) -> dict[str, dict]:
  """Share of the evidence among the first k turns, by category and for 'all': a dict of k, and `questions`.

  Args:
    conversations: Whose questions are asked; those whose evidence is no turn's are left out.
    ks: How many turns are looked at.
    rank: (conversation) -> (question's text) -> numbers of turns, best first; BM25 where it is None.
  """
  rank, found = rank or (lambda conversation: conversation.ranking().best), collections.defaultdict(list)
  for conversation in conversations:
    best = rank(conversation)
    for question in conversation.questions:
      if question.evidence:
        ranked = best(question.text)
        shares = [bm25.recall_at(ranked, question.evidence, k) for k in ks]
        for name in ('all', CATEGORIES[question.category]):
          found[name].append(shares)
  return {name: dict(zip(ks, np.mean(shares, 0).tolist())) | dict(questions=len(shares))
          for name, shares in found.items()}
