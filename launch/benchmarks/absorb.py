"""The suite `absorb`: what writing new turns into a person's memory takes, and what it does to what was known.

Each person is one that a run of launch.personalize trained its projection with. Its later life is told in so many
turns, which are written as they are, or with questions about what they tell, while questions of training are rehearsed.
Asked before and after are held-out questions about the old facts, and questions about the new ones.
"""

import datetime
import statistics
import tempfile
import time

import jax
import numpy as np

from latentmem import tasks
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.personal.profile import Item
from latentmem.tasks import persona_questions
from launch.personalizing import profiles, wording

ASKED = 200
ROLES = dict(user=wording.USER, assistant=wording.ASSISTANT)
# What is written of the same turns.
FORMS = ('turns', 'turns and questions')


def items_of(questions) -> list[Item]:
  """Questions with their letters."""
  return [Item((*question.tokens[:-1],), (wording.ANSWER, question.letter)) for question in questions]


def new_items(person, turns: int, form: str, kinds: tuple[str, ...]) -> list[Item]:
  """What is written of a person's later life."""
  told = [Item((), (ROLES[turn.speaker], *turn.words)) for turn in person.later(turns).turns]
  asked = persona_questions.questions(person, ASKED, 'train', 'later', kinds=kinds) if form == FORMS[1] else []
  return told + items_of(asked)


def measured(writer, asks, u: int, turns: int, form: str, steps: int) -> dict:
  """One person's memory before and after."""
  person = asks.person(u)
  of = lambda split, part: items_of(persona_questions.questions(person, ASKED, split, part, kinds=asks.types))
  old, new = of('heldout', 'first'), of('heldout', 'later')
  before = writer.known(str(u), u, of('train', 'first'))
  right = lambda profile, items: float(np.mean(writer.right(profile, items)))
  scores = dict(old_before=right(before, old), new_before=right(before, new))
  items, begun = new_items(person, turns, form, asks.types), time.monotonic()
  after = writer.absorb(before, items, steps)
  seconds = time.monotonic() - begun
  return dict(what=form, person=u, length=turns, items=len(items), steps=steps, asked=ASKED, seconds=seconds, **scores,
              old_after=right(after, old), new_after=right(after, new))


def run(workdir: str, lengths: list[int], people: int, steps: int, told=print) -> dict:
  """Writes into the memories of the first people of a run, and returns the record."""
  with tempfile.TemporaryDirectory() as folder:
    room, config = profiles.opened(workdir, folder), records.read(workdir).config
  if config['data']['kind'] != 'task':
    raise InputError(f"The suite absorb takes a run over the task 'persona', not over {config['data']['kind']!r}.")
  asks, rows = tasks.make(**config['data']['task']), []
  for length in lengths:
    for form in FORMS:
      rows += [measured(room.writer, asks, u, length, form, steps) for u in range(min(people, asks.people))]
      told(describe([row for row in rows if (row['length'], row['what']) == (length, form)]))
  return dict(suite='absorb', rows=rows, config=config, versions=records.versions(),
              commit=records.commit(), machine=records.machine(jax.devices()), date=datetime.date.today().isoformat())


def describe(rows: list[dict]) -> str:
  """A line on the people of one length and form."""
  mean = lambda name: statistics.mean(row[name] for row in rows)
  seconds = sorted(row['seconds'] for row in rows)
  return (f'{rows[0]["length"]:5} turns, written as {rows[0]["what"]}: {seconds[0]:.1f} to {seconds[-1]:.1f} s; old '
          f'facts {mean("old_before"):.1%} to {mean("old_after"):.1%}, new '
          f'ones {mean("new_before"):.1%} to {mean("new_after"):.1%} ({len(rows)} people)')
