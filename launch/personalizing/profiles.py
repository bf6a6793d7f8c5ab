"""The verbs of launch.profile: what can be done with one person's memory."""

from typing import NamedTuple

import jax
import numpy as np

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.personal.model import Personal
from latentmem.personal.profile import Item, Profile
from latentmem.personal.store import Store
from latentmem.personal.writer import Writer
from latentmem.train import checkpoint
from launch import parts
from launch.personalizing import bases, wording

# The most tokens of an answer or of a turn.
ANSWER = 32


class Room(NamedTuple):
  """A projection with its base, and the profiles that belong to it."""

  writer: Writer
  store: Store


def opened(run: str, path: str) -> Room:
  """The projection that a run of launch.personalize learned, and the profiles in a folder.

  Raises InputError where the run is another's, or its base is no longer what it was.
  """
  config = records.read(run).config
  base = bases.of_run(run, config, parts.mesh(1, 1))
  task = config['data']['task']
  _, params = checkpoint.load_params(run)
  fields = base.seeing(Personal(base.fields, config['personal'], 1).prompt + task['question'] + ANSWER)
  net = Personal(fields, config['personal'], task['people'], task['question'])
  writer = Writer(net, jax.tree.map(np.asarray, params), base.params, ANSWER)
  return Room(writer, Store(path, writer.fits))


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
  item = before.items[number] if 0 <= number < len(before.items) else None
  begins = item.answer[0] if item else 0
  changed = before.edited(number, (begins, *wording.tokens(answer)))
  return room.store.write(room.writer.absorb(changed, (), steps))


def recall(room: Room, name: str, question: str, options: list[str]) -> str:
  """What a person's memory answers; one of the options where there are any."""
  profile = room.store.read(name)
  asked = wording.asked(question, options)
  if not options:
    return wording.spoken(room.writer.recall(profile, asked, wording.ANSWER, 1))
  letters = wording.tokens('(a) (b) (c) (d)')[:len(options)]
  nats = room.writer.nats(profile, [Item(asked, (wording.ANSWER, letter)) for letter in letters])
  return options[int(np.argmin(nats))]


def inspect(room: Room, name: str) -> str:
  """What is stored of a person, item by item, and how surely each is remembered."""
  profile = room.store.read(name)
  numbers = sum(array.size for array in profile.arrays.values())
  lines = [f'{name}: version {profile.version} of {room.store.versions(name)}, {numbers:,} numbers, '
           f'{len(profile.items)} items; base {room.writer.fits.base[:12]}, projection '
           f'{room.writer.fits.shared[:12]}']
  nats, right = room.writer.nats(profile, profile.items), room.writer.right(profile, profile.items)
  for number, (item, cost, well) in enumerate(zip(profile.items, nats, right)):
    said = f'{wording.spoken(item.question)} -> {wording.spoken(item.answer[1:])}'
    lines.append(f'{number:4d} {"remembered" if well else "not sure  "} {cost:7.3f} nats  {said}')
  return '\n'.join(lines)
