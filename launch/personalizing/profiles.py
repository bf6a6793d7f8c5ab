"""The verbs of launch.profile: what can be done with one person's memory."""

from typing import NamedTuple

import jax
import numpy as np

from latentmem import data
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.personal.model import Personal
from latentmem.personal.profile import Item, Profile
from latentmem.personal.store import Store
from latentmem.personal.writer import Writer
from latentmem.train import checkpoint
from launch import parts
from launch.personalizing import bases
from launch.personalizing.texts import Text
from launch.personalizing.wording import Wording, Words

# The most tokens of an answer or of a turn: a word is one token, of text it may be several.
ANSWER, ANSWER_IN_TEXT = 32, 96


class Room(NamedTuple):
  """A projection with its base, how the base writes, and the profiles that belong to it."""

  writer: Writer
  wording: Wording
  store: Store


def wording_of(run: str) -> Wording:
  """How the base of a run writes; the base itself is not looked at. Raises InputError where the run is another's."""
  config = records.read(run).config
  bases.check_personal(run, config)
  chosen = config['data']
  if chosen['kind'] == 'task':
    return Words(chosen['task']['question'], ANSWER)
  source = data.make(chosen)
  # A run of before this was kept may be of any.
  known = records.read_json(records.read(run).path / 'data.json').get('speech')
  if known not in (None, source.speech.fingerprint):
    raise InputError(f'The tokenizer or the chat template that {run} was trained with ({chosen["tokens"]}) is another '
                     'now: its memories would be read wrongly. Put back the files it had.')
  return Text(chosen['question'], ANSWER_IN_TEXT, source.speech, source.lists)


def opened(run: str, path: str) -> Room:
  """The projection that a run of launch.personalize learned, and the profiles in a folder.

  Raises InputError where the run is another's, or its base is no longer what it was.
  """
  config, wording = records.read(run).config, wording_of(run)
  base = bases.of_run(run, config, parts.mesh(1, 1))
  _, params = checkpoint.load_params(run)
  fields = base.seeing(Personal(base.fields, config['personal'], 1).prompt + wording.question + wording.answer)
  net = Personal(fields, config['personal'], 1, wording.question)
  writer = Writer(net, jax.tree.map(np.asarray, params), base.params, wording.answer)
  return Room(writer, wording, Store(path, writer.fits))


def absorb(room: Room, name: str, items: list[Item], steps: int) -> Profile:
  """Writes items into a person's memory, a new one where nobody is known by that name, and keeps it."""
  if not items:
    raise InputError('There is nothing to absorb: --questions or --turns names a file of it.')
  before = room.store.read(name) if room.store.versions(name) else room.writer.blank(name)
  return room.store.write(room.writer.absorb(before, items, steps))


def adopt(room: Room, name: str, person: int) -> Profile:
  """Keeps the memory of somebody whom the projection was trained with."""
  people = room.writer.people
  if not 0 <= person < people:
    raise InputError(f'There is no person {person}; the projection was trained with {people}, counted from 0.')
  if room.store.versions(name):
    raise InputError(f'{name!r} is known already; erase that one first, or choose another name.')
  return room.store.write(room.writer.known(name, person))


def edit(room: Room, name: str, number: int, answer: str | None, steps: int) -> Profile:
  """Changes the answer of an item, or takes the item away where there is none; writes what is left, and keeps it.

  Where an item is taken away the memory starts from nothing, or that one might still be there; so what an adopted
  memory knew beside its items goes too.
  """
  before = room.store.read(name)
  if answer is None:
    left = before.without(number)
    blank = room.writer.blank(name)
    again = Profile(name, blank.arrays, left.items, before.version)
    return room.store.write(room.writer.absorb(again, (), steps) if left.items else again)
  item, said = before.item(number), room.wording.said(answer, '--answer')
  changed = room.wording.fitting(item._replace(answer=(item.answer[0], *said)), '--answer')
  return room.store.write(room.writer.absorb(before.edited(number, changed.answer), (), steps))


def recall(room: Room, name: str, question: str, options: list[str]) -> str:
  """What a person's memory answers; one of the options where there are any."""
  profile, wording = room.store.read(name), room.wording
  if not options:
    asked, begins = wording.asked(question, options, '--question')
    wording.fitting(Item(asked, (begins,)), '--question')
    return wording.spoken(room.writer.recall(profile, asked, begins, wording.longest, wording.ended))
  items = [wording.item(question, options, option, '--question') for option in options]
  return options[int(np.argmin(room.writer.nats(profile, items) / list(map(wording.size, options))))]


def inspect(room: Room, name: str) -> str:
  """What is stored of a person, item by item, and how surely each is remembered."""
  profile = room.store.read(name)
  numbers = sum(array.size for array in profile.arrays.values())
  lines = [f'{name}: version {profile.version} of {room.store.versions(name)}, {numbers:,} numbers, '
           f'{len(profile.items)} items; base {room.writer.fits.base[:12]}, projection '
           f'{room.writer.fits.shared[:12]}']
  nats, right = room.writer.nats(profile, profile.items), room.writer.right(profile, profile.items)
  for number, (item, cost, well) in enumerate(zip(profile.items, nats, right)):
    said = f'{room.wording.spoken(item.question)} -> {room.wording.spoken(item.answer[1:])}'
    lines.append(f'{number:4d} {"remembered" if well else "not sure  "} {cost:7.3f} nats  {said}')
  return '\n'.join(lines)
