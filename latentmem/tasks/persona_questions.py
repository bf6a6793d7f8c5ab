"""Questions about generated persons, of PersonaMem's seven types (Jiang et al. 2025, arXiv 2504.14225).

    type                                             right; wrong
    track_full_preference_evolution                  three likings in their order; in three other orders
    recall_user_shared_facts                         what the one asked about has; what others have
    recalling_the_reasons_behind_previous_updates    the reason for a liking; for all else that was said of the topic
    suggest_new_ideas                                new, of the liked kind; known, or of the other kind, or both
    generalizing_to_new_scenarios                    of the kind liked in another topic; given up, disliked, another's
    provide_preference_aligned_recommendations       liked now; given up, tried in vain, another's
    recalling_facts_mentioned_by_the_user            where to in a month; in others (or: liked before; now, never)

The four options of a question are the answers of the four members of the person's family (`person_facts`), shuffled:
the same words and options are asked of all four, and each option is right for one. All options of a question have the
same number of tokens. Wrong ones are in the person's own history wherever the right one is, but for new ideas and new
scenarios, where half of the options are and none.
"""

import functools
from typing import NamedTuple
import zlib

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.tasks import person_facts
from latentmem.tasks import persona_words as words
from latentmem.tasks.person_facts import Draws, Group, MEMBERS, NOW, of_holder, OLD, told, VAIN
from latentmem.tasks.persons import Person

EVOLUTION, SHARED, REASONS, IDEAS, SCENARIOS, ALIGNED, FACTS = TYPES = (
    'track_full_preference_evolution', 'recall_user_shared_facts', 'recalling_the_reasons_behind_previous_updates',
    'suggest_new_ideas', 'generalizing_to_new_scenarios', 'provide_preference_aligned_recommendations',
    'recalling_facts_mentioned_by_the_user')
# What each type can be asked about.
ABOUT = {EVOLUTION: ('evolution',), SHARED: ('attribute',), REASONS: ('preference',), IDEAS: ('idea',),
         SCENARIOS: ('preference',), ALIGNED: ('preference',), FACTS: ('preference', 'plan')}
# Types of whose answer the history tells the kind alone, the first word of an option.
BY_KIND = (IDEAS, SCENARIOS)
# The word after <question> tells the type.
OPENS = dict(
    how=EVOLUTION, describe=EVOLUTION, what=SHARED, name=SHARED, why=REASONS, explain=REASONS, suggest=IDEAS,
    find=IDEAS, given=SCENARIOS, considering=SCENARIOS, recommend=ALIGNED, pick=ALIGNED, which=FACTS, where=FACTS,
    tell=FACTS)
OPENING = {words.NUMBER[word]: TYPES.index(kind) for word, kind in OPENS.items()}

WORDINGS = {
    EVOLUTION: ('how has my taste in {t} changed over time ?', 'describe how my taste in {t} changed .'),
    SHARED: ('what is {of} ?', 'name {of} .'),
    IDEAS: ('suggest a new {t} that suits me .', 'find some {t} i have not met yet that would suit me .'),
    SCENARIOS: ('given my taste in {t} , which {t2} would suit me ?', 'considering my {t} , what {t2} suits me now ?'),
    ALIGNED: ('recommend some {t} to me now .', 'pick the {t} that suits me best today .')}
BY_ROLE = {
    (REASONS, NOW): ('why did i change to my latest {t} ?', 'explain why i like my latest {t} .'),
    (REASONS, OLD): ('why did i like the {t} before that ?', 'explain why i liked my {t} before .'),
    (REASONS, VAIN): ('why did i not enjoy the {t} i tried ?', 'explain why i did not like the {t} i tried .'),
    (FACTS, OLD): ('which {t} did i like before ?', 'tell me the {t} i liked before .')}
TRAVELS = ('where will i travel in {m} ?', 'tell me where i will go in {m} .')
SPLITS = ('train', 'heldout', 'any')
# One question of this many, by the hash of its words and options, is held out from training.
HELDOUT_OF = 4


class Question(NamedTuple):
  """A question with its options.

  Attributes:
    kind: One of TYPES.
    words: Token numbers.
    options: Token numbers of each of the four.
    right: Which of them is.
    group: Name of what it is about; questions about different groups say nothing of one another.
    evidence: Keys of the facts that answer it.
  """

  kind: str
  words: list[int]
  options: list[list[int]]
  right: int
  group: str
  evidence: tuple[str, ...]

  @property
  def tokens(self) -> list[int]:
    """'<question> ... (a) ... (b) ... (c) ... (d) ... <answer>': what is read before the letter is said."""
    listed = [token for letter, option in zip(LETTERS, self.options) for token in (letter, *option)]
    return [words.NUMBER[words.QUESTION], *self.words, *listed, words.NUMBER[words.ANSWER]]

  @property
  def open(self) -> list[int]:
    """'<question> ... <answer>': the same without options, to be answered in words."""
    return [words.NUMBER[words.QUESTION], *self.words, words.NUMBER[words.ANSWER]]

  @property
  def answer(self) -> list[int]:
    """What the history tells of the right option: all of it, or its kind where a new value is asked for."""
    return self.options[self.right][:1 if self.kind in BY_KIND else None]

  @property
  def letter(self) -> int:
    """The token of the right letter."""
    return LETTERS[self.right]

  @property
  def text(self) -> str:
    """In plain English, an option a line."""
    return '\n'.join([words.plain(self.words), *(f'{letter} {words.spoken(option)}'
                                                 for letter, option in zip(words.LETTERS, self.options))])

  @property
  def heldout(self) -> bool:
    """Whether training leaves it out, by its words and options alone."""
    return zlib.crc32(np.asarray(self.tokens, np.int32).tobytes()) % HELDOUT_OF == 0


LETTERS = [words.NUMBER[letter] for letter in words.LETTERS]


def ask(person: Person, group: Group, kind: str, draws: Draws) -> Question:
  """A question of a kind about a group. By the same draws the members of a family are asked alike, answers apart."""
  wording, answers, evidence = _asked(person, group, kind, draws)
  order = draws.sample(range(MEMBERS), MEMBERS)
  return Question(kind, wording, [answers[member] for member in order], order.index(person.member), group.name,
                  tuple(f'{group.name}/{role}' for role in evidence))


def _asked(person, group, kind, draws):
  """Words, the answers by member, and the roles of the evidence."""
  t = group.subject
  each = lambda answer: [answer(member) for member in range(MEMBERS)]
  if kind == EVOLUTION:
    in_order = lambda member: functools.reduce(lambda a, b: [*a, THEN, *b],
                                               ([group.value(member, role)[-1]] for role in range(3)))
    return told(draws.pick(WORDINGS[kind]), t=t), each(in_order), (0, 1, 2)
  if kind == SHARED:
    role = draws.below(MEMBERS)
    of = of_holder(t, group.holders[role])
    return told(draws.pick(WORDINGS[kind]), of=of), each(lambda m: group.value(m, role)), (role,)
  if kind == IDEAS:
    return told(draws.pick(WORDINGS[kind]), t=t), each(lambda m: group.value(m, 2)), (0, 1)
  if kind == SCENARIOS:
    other = draws.pick(person_facts.never_told(person.seed, person.family, person.size))
    items = draws.sample(words.ITEMS[other], MEMBERS)
    # An item stays with its kind, whichever member is asked.
    answer = lambda m: [group.value(m, NOW)[0], words.NUMBER[items[group.by_member[m][NOW]]]]
    return told(draws.pick(WORDINGS[kind]), t=t, t2=other), each(answer), (NOW,)
  if group.kind == 'plan':
    role = draws.below(MEMBERS)
    return told(draws.pick(TRAVELS), m=group.holders[role]), each(lambda m: group.value(m, role)), (role,)
  if kind == ALIGNED:
    return told(draws.pick(WORDINGS[kind]), t=t), each(lambda m: group.value(m, NOW)), (NOW,)
  role = draws.pick((OLD, NOW, VAIN)) if kind == REASONS else OLD
  answer = (lambda m: [group.reason(m, role)]) if kind == REASONS else (lambda m: group.value(m, role))
  # What was liked before is so by the change after it.
  return told(draws.pick(BY_ROLE[kind, role]), t=t), each(answer), (OLD, NOW) if role == OLD else (role,)


THEN = words.NUMBER['then']


def subjects(person: Person, part: str = 'first', kinds: tuple[str, ...] = TYPES) -> list[tuple[str, Group]]:
  """All pairs of a type and a group that it can be asked about."""
  for kind in kinds:
    check_known(kind, TYPES, 'PersonaMem', 'question type')
  return [(kind, group) for kind in kinds for group in person.groups(part) if group.kind in ABOUT[kind]]


def draw(person: Person, draws: Draws, part: str = 'first', split: str = 'any', kinds: tuple[str, ...] = TYPES,
         asked: str = 'all') -> Question:
  """One question: first a type is drawn, then what it is about.

  Args:
    person: Who is asked.
    draws: Where the draws come from.
    part: 'first' for facts of the history, 'later' for those told later.
    split: 'train' or 'heldout' questions, which share neither words nor options in the same order; or 'any'.
    kinds: Types that are drawn.
    asked: 'all' groups, or the share of `in_share`.
  """
  pairs = [pair for pair in subjects(person, part, kinds) if in_share(person, part, pair[1], asked)]
  if not pairs:
    raise InputError(f'Nothing of {kinds} can be asked of {person}.')
  kind = draws.pick(sorted({kind for kind, _ in pairs}, key=TYPES.index))
  group = draws.pick([group for other, group in pairs if other == kind])
  return drawn(person, group, kind, draws, split)


def drawn(person: Person, group: Group, kind: str, draws: Draws, split: str = 'any') -> Question:
  """A question of a split."""
  check_known(split, SPLITS, 'a question', 'split')
  while True:
    question = ask(person, group, kind, draws)
    if split == 'any' or question.heldout == (split == 'heldout'):
      return question


def in_share(person: Person, part: str, group: Group, asked: str) -> bool:
  """Whether a group is among 'all', those 'asked' about in training, or the last of its kind, 'unasked' there.

  A kind with one group has no unasked one.
  """
  check_known(asked, ('all', 'asked', 'unasked'), 'a question', 'share')
  alike = [other for other in person.groups(part) if other.kind == group.kind]
  last = len(alike) > 1 and alike[-1] is group
  return asked == 'all' or last == (asked == 'unasked')


def questions(person: Person, count: int, split: str = 'heldout', part: str = 'first', seed: int = 0,
              kinds: tuple[str, ...] = TYPES, asked: str = 'all') -> list[Question]:
  """So many questions of a person, a pure function of the arguments."""
  draws = Draws(np.random.default_rng((person.seed, person.number, 3, SPLITS.index(split), seed)))
  return [draw(person, draws, part, split, kinds, asked) for _ in range(count)]


def apart(person: Person, count: int, draws: Draws, kinds: tuple[str, ...] = TYPES) -> list[Question]:
  """So many questions about different groups, so that no answer tells anything about the next; types in turn.

  Fewer where there are no more groups that can be asked about.
  """
  free, out, waiting = subjects(person, kinds=kinds), [], []
  while free and len(out) < count:
    waiting = waiting or draws.sample(kinds, len(kinds))
    kind = waiting.pop()
    groups = [group for other, group in free if other == kind]
    if groups:
      group = draws.pick(groups)
      out.append(ask(person, group, kind, draws))
      free = [pair for pair in free if pair[1] is not group]
  return out
