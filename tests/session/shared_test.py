"""Agents over a bank: what one writes the others answer from, and who writes at once is merged or refused."""

import concurrent.futures
import functools
import subprocess
import sys

import jax
import numpy as np
import pytest

from latentmem import model
from latentmem.bank.store import Bank
from latentmem.base.errors import InputError
from latentmem.model.interface import init_params
from latentmem.session.shared import Shared
from tests.checks import assert_close
from tests.model.sharing_test import agent, rows, SCENE

TWO = dict(vocab=11, scene=SCENE, views=2, bits=3,
           perception=agent(0, slots=3, opened=3, chunk=6) | dict(dtype='float32', state_dtype='float32'),
           reasoning=agent(2, slots=6, opened=0, chunk=8) | dict(dtype='float32', state_dtype='float32'))
HALF = SCENE // 2


@functools.cache
def pair():
  it = model.make('sharing', **TWO)
  return it, init_params(it, jax.random.key(0))


def agents(folder, count=2):
  """Each with a bank of its own at the same place, as in processes of their own."""
  return [Shared(Bank(folder), 'scene', *pair(), fingerprint='pair') for _ in range(count)]


def seen_whole(tokens):
  it, params = pair()
  return jax.jit(it.apply)(params, it.apply(params, len(tokens), method='init_state'), tokens)[1][:, SCENE:]


def test_two_who_saw_half_each_are_answered_from_as_one_who_saw_all(tmp_path):
  tokens = rows()
  (left, right, asked), scene = agents(tmp_path, 3), tokens[:, :SCENE]
  assert left.write(left.see(scene[:, :HALF], 0)) == 2
  half = asked.answer(tokens[:, SCENE:])
  right.write(right.see(scene[:, HALF:], 3))
  # float32 sums in programs of other shapes differ in the last bits.
  assert_close(asked.answer(tokens[:, SCENE:]), seen_whole(tokens), within=1e-5)
  # Slots that nobody wrote are zeros, which no message says.
  it, params = pair()
  say = lambda method, *args: jax.jit(functools.partial(it.apply, method=method))(params, *args)
  told = say('told', say('message', say('perceive', scene[:, :HALF])))
  carry = it.apply(params, len(tokens), method='init_state')
  told = np.pad(told, ((0, 0), (0, 0), (0, 3), (0, 0)))
  assert_close(half, say('answer', carry, told, tokens[:, SCENE:])[1], within=1e-5)
  assert np.abs(half - seen_whole(tokens)).max() > 1e-3


def test_who_wrote_at_once_in_places_of_their_own_are_merged(tmp_path):
  tokens = rows()
  (left, right), scene = agents(tmp_path), tokens[:, :SCENE]
  had = [left.read(), right.read()]
  left.write(left.see(scene[:, :HALF], 0), had[0])
  assert right.write(right.see(scene[:, HALF:], 3), had[1]) == 3
  assert sorted(left.read()[0]) == [f'slot-{n}' for n in range(6)]
  assert_close(left.answer(tokens[:, SCENE:]), seen_whole(tokens), within=1e-5)
  assert Bank(tmp_path).list() == ['scene']


def test_who_wrote_at_once_in_one_place_are_refused_or_the_newest_has_it(tmp_path):
  (left, right), scene = agents(tmp_path), rows()[:, :SCENE]
  had = [left.read(), right.read()]
  first, second = left.see(scene[:, :HALF], 1), right.see(scene[:, HALF:], 2)
  left.write(first, had[0], when='2026-01-01T00:00:00')
  with pytest.raises(InputError, match=r"changed the arrays \['slot-2', 'slot-3'\] differently"):
    right.write(second, had[1])
  assert left.read()[1] == 2 and Bank(tmp_path).list() == ['scene'], 'nothing is changed'
  right.write(second, had[1], 'newest', when='2026-01-01T00:00:01')
  found, _ = left.read()
  assert sorted(found) == [f'slot-{n}' for n in range(1, 5)]
  assert all(np.array_equal(found[name], (first | second)[name]) for name in found)


def test_any_number_of_writers_lose_nothing(tmp_path):
  writers = agents(tmp_path, 6)
  message = {f'slot-{n}': np.full((2, 1, 4), n, np.uint8) for n in range(6)}
  had = writers[0].read()
  with concurrent.futures.ThreadPoolExecutor(6) as pool:
    list(pool.map(lambda n: writers[n].write({f'slot-{n}': message[f'slot-{n}']}, had), range(6)))
  found, _ = writers[0].read()
  assert sorted(found) == sorted(message) and all(np.array_equal(found[name], message[name]) for name in message)


def test_another_process_reads_what_was_written(tmp_path):
  shared, = agents(tmp_path, 1)
  shared.write(shared.see(rows()[:, :SCENE], 0))
  code = ('import sys; from latentmem.bank.store import Bank; arrays, header = Bank(sys.argv[1]).get("scene"); '
          'print(header.version, header.kind, sum(int(a.sum()) for a in arrays.values()))')
  done = subprocess.run([sys.executable, '-c', code, str(tmp_path)], capture_output=True, text=True)
  assert done.stdout.split() == ['2', 'shared', 'slots', str(sum(int(a.sum()) for a in shared.read()[0].values()))]


def test_what_does_not_fit_is_refused(tmp_path):
  shared, = agents(tmp_path, 1)
  with pytest.raises(InputError, match='3 slots from number 4 on do not fit into 6'):
    shared.see(rows()[:, :HALF], 4)
  shared.write(shared.see(rows()[:, :SCENE]))
  with pytest.raises(InputError, match='holds slots of other shapes'):
    shared.answer(rows(2)[:, SCENE:])
  with pytest.raises(InputError, match='written by another model'):
    Shared(Bank(tmp_path), 'scene', *pair(), fingerprint='other').answer(rows()[:, SCENE:])
  net, params = pair()
  Shared(Bank(tmp_path), 'own', net, params).write(shared.see(rows()[:, :SCENE]))
  with pytest.raises(InputError, match='written by another model'):
    Shared(Bank(tmp_path), 'own', net, jax.tree.map(lambda p: p + 1, params)).read()
