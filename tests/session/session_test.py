"""A live sequence goes on as if it had never been cut, stopped, saved or handed over in parts."""

import functools
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.bank import format as bank_format
from latentmem.bank import store
from latentmem.base import arrays as base_arrays
from latentmem.base.errors import InputError
from latentmem.model import interface
from latentmem.session import sample, session
from tests.session.live import network, PIECE, shaken

DRAWN = sample.Sampler(temperature=1.0)
DOCUMENT = np.random.default_rng(0).integers(0, 64, 37)


NET = network()


@pytest.fixture(scope='module')
def params():
  return shaken(NET)


@pytest.fixture(scope='module')
def fresh(params):
  return session.Session(NET, params, piece=PIECE)


def bits(live):
  return {name: np.asarray(leaf).tobytes() for name, leaf in base_arrays.named(live.state()).items()}


def draw(live, length, sampler=DRAWN, seed=3):
  return list(live.generate(length, sampler, seed))


def test_generated_tokens_are_the_likeliest_after_all_before_them(fresh, params):
  live = fresh.fork()
  live.feed(DOCUMENT)
  tokens = draw(live, 12, sample.GREEDY)
  whole_1T = np.concatenate([DOCUMENT, tokens])[None]
  in_turn = jax.jit(lambda params, carry, x_1T: NET.apply(params, carry, x_1T, parallel=False))
  _, logits_1TV = in_turn(params, fresh.fork()._carry, whole_1T)
  assert tokens == np.argmax(logits_1TV[0, len(DOCUMENT) - 1:-1], -1).tolist()
  assert len(set(tokens)) > 2


def test_fed_in_parts_is_fed_at_once_to_the_last_bit(fresh):
  whole = fresh.fork()
  whole.feed(DOCUMENT)
  for cuts in ([1], [8], [9, 16], [3, 4, 5, 36], range(1, 37)):
    parts = fresh.fork()
    for part in np.split(DOCUMENT, list(cuts)):
      parts.feed(part)
    assert bits(parts) == bits(whole)
  assert draw(parts, 5) == draw(whole, 5)


@pytest.mark.parametrize('length', [1, 2, 7, 8, 9, 16, 17])
def test_saved_and_loaded_is_never_stopped_to_the_last_bit(fresh, tmp_path, length):
  live = fresh.fork()
  live.feed(DOCUMENT[:length])
  live.save(tmp_path / 'fed')
  straight = draw(live, 9)
  other = fresh.fork()
  other.load(tmp_path / 'fed')
  first = draw(other, 4)
  other.save(tmp_path / 'drawn')
  third = fresh.fork()
  third.feed(DOCUMENT[:3])
  third.load(tmp_path / 'drawn')
  assert first + draw(third, 5) == straight
  assert bits(third) == bits(live) and third.position == live.position == length + 9


def test_a_question_asked_later_is_answered_as_if_asked_at_once(fresh, tmp_path):
  at_once = fresh.fork()
  at_once.feed(np.concatenate([DOCUMENT, DOCUMENT[:5]]))
  live = fresh.fork()
  live.feed(DOCUMENT)
  live.save(tmp_path / 'state')
  later = fresh.fork()
  later.load(tmp_path / 'state')
  later.feed(DOCUMENT[:5])
  assert draw(later, 6) == draw(at_once, 6)
  assert bits(later) == bits(at_once)


def test_a_stream_that_is_left_early_can_be_gone_on_with(fresh):
  whole, left = fresh.fork(), fresh.fork()
  for live in (whole, left):
    live.feed(DOCUMENT[:10])
  want = draw(whole, 6)
  got = list(itertools.islice(left.generate(None, DRAWN, 3), 2))
  assert got + draw(left, 4) == want


def test_a_stop_ends_the_stream_and_is_read(fresh):
  live, twin = fresh.fork(), fresh.fork()
  live.feed(DOCUMENT)
  twin.feed(DOCUMENT)
  whole = draw(live, 12)
  end = next(i for i in range(3, 12) if whole[i] not in whole[:i])
  assert list(twin.generate(12, DRAWN, 3, stops=[whole[end]])) == whole[:end]
  assert twin.position == len(DOCUMENT) + end + 1
  assert draw(twin, 11 - end) == whole[end + 1:]


def test_draws_depend_on_the_seed(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT)
  assert draw(live.fork(), 8, seed=1) == draw(live.fork(), 8, seed=1) != draw(live.fork(), 8, seed=2)


def test_every_position_is_a_draw_of_its_own(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT)
  # So hot that all 64 tokens are equally likely: 20 draws of one key would be 20 times the same.
  assert len(set(draw(live, 20, sample.Sampler(temperature=1e9)))) > 5


def test_forks_do_not_touch_one_another(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT)
  before, twin = bits(live), live.fork()
  twin.feed(DOCUMENT[::-1])
  draw(twin, 5)
  assert bits(live) == before != bits(twin)


def test_length_neither_compiles_again_nor_grows_the_state(params):
  live = session.Session(NET, params, piece=PIECE)
  size = lambda: sum(leaf.nbytes for leaf in jax.tree.leaves(live._carry))
  before = size()
  for length in (1, 5, 20, 33):
    live.feed(DOCUMENT[:length])
    draw(live, 3)
  assert size() == before and len(live._unread) <= PIECE
  # A whole piece; a padded piece and a single token.
  assert (live._advance._cache_size(), live._answer._cache_size()) == (1, 2)


def test_a_state_in_bfloat16_comes_back(tmp_path):
  net = network(dtype='bfloat16', state_dtype='bfloat16', compose=dict(kind='plain'),
                memory=dict(kind='linear', heads=2, chunk=4))
  live = session.Session(net, interface.init_params(net, jax.random.key(0)), piece=PIECE)
  assert any(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(live._carry))
  live.feed(DOCUMENT)
  live.save(tmp_path / 'state')
  other = live.fork()
  other.load(tmp_path / 'state')
  assert bits(other) == bits(live)


@pytest.mark.parametrize('tokens, said', [([64], 'reach from 64 to 64'), ([-1, 3], 'reach from -1'), ([1.5], 'float64'),
                                          ([[1]], r'int64\[1, 1\]')])
def test_tokens_the_model_does_not_know_are_refused(fresh, tokens, said):
  live = fresh.fork()
  with pytest.raises(InputError, match=said):
    live.feed(tokens)
  assert live.position == 0


def test_nothing_fed_is_told_before_anything_is_drawn(fresh):
  with pytest.raises(InputError, match='at least one token'):
    fresh.fork().generate(3)


def test_a_piece_of_no_tokens_is_refused(params):
  with pytest.raises(InputError, match='piece is 0'):
    session.Session(NET, params, piece=0)


@pytest.fixture(scope='module')
def saved(fresh, tmp_path_factory):
  live, path = fresh.fork(), tmp_path_factory.mktemp('saved') / 'state'
  live.feed(DOCUMENT)
  live.save(path)
  return path


def rewritten(path, folder, arrays=(), **notes):
  """The same file with some arrays and notes changed, and the checksum that belongs to it."""
  old_arrays, old_notes = bank_format.read(path)
  bank_format.write(folder / 'changed', old_arrays | dict(arrays), old_notes | notes)
  return folder / 'changed'


def test_a_state_of_another_model_is_refused_naming_what_differs(saved, params):
  other = network(memory=dict(kind='titans', heads=2, chunk=2))
  live = session.Session(other, params, piece=PIECE)
  with pytest.raises(InputError, match='another model .memory.chunk is 4 there, 2 here'):
    live.load(saved)


def test_a_state_of_other_parameters_is_refused(saved, params):
  live = session.Session(NET, jax.tree.map(lambda p: p, params), piece=PIECE)
  live.load(saved)
  one_bit = jax.tree.map(lambda p: p.at[(0,) * p.ndim].set(jnp.nextafter(p[(0,) * p.ndim], 9.0)), params)
  with pytest.raises(InputError, match='other parameters'):
    session.Session(NET, one_bit, piece=PIECE).load(saved)


def test_a_refused_state_leaves_the_session_as_it_was(saved, fresh, tmp_path):
  live = fresh.fork()
  live.feed(DOCUMENT[:9])
  before = bits(live), live.position
  arrays, _ = bank_format.read(saved)
  name = next(n for n in arrays if n.startswith('carry') and arrays[n].size)
  wrong = [
      dict(kind='person'), dict(fingerprint='0'), dict(fingerprint='0', fields=json.dumps([1])),
      dict(fingerprint='0', fields='{'), dict(arrays={'position': np.int64(-1)}),
      dict(arrays={'position': np.int64(0)}), dict(arrays={'position': np.array([9])}),
      dict(arrays={'unread': np.array([64], np.int32)}), dict(arrays={'unread': np.array([1.0])}),
      dict(arrays={'unread': np.array([[1]], np.int32)}), dict(arrays={'more': np.zeros(1)}),
      dict(arrays={name: arrays[name][..., :0]}), dict(arrays={name: arrays[name].astype(np.float16)})]
  for changes in wrong:
    with pytest.raises(InputError):
      live.load(rewritten(saved, tmp_path, **changes))
  assert (bits(live), live.position) == before


def test_an_empty_session_can_be_saved(fresh, tmp_path):
  fresh.save(tmp_path / 'state')
  live = fresh.fork()
  live.feed(DOCUMENT)
  live.load(tmp_path / 'state')
  assert bits(live) == bits(fresh) and live.position == 0


def test_rewound_is_never_gone_on_to_the_last_bit(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT[:20])
  here, before = live.mark(), bits(live)
  straight = draw(live, 6)
  live.feed(DOCUMENT)
  assert live.rewind(here) == 20 and bits(live) == before
  assert draw(live, 6) == straight
  # The mark is still there, whatever the programs did with the arrays that they were given.
  assert live.rewind(here) == 20 and bits(live) == before


def test_rewinding_goes_from_mark_to_mark_and_forgets_those_behind(fresh):
  live, states = fresh.fork(), {}
  for _ in range(session.MARKS + 2):
    live.feed(DOCUMENT[:3])
    states[live.mark()] = bits(live)
  kept = sorted(states)[-session.MARKS:]
  assert live.rewind() == kept[-2] and bits(live) == states[kept[-2]]
  assert live.rewind(kept[1]) == kept[1]
  live.feed(DOCUMENT[:1])
  assert live.rewind() == kept[1] and bits(live) == states[kept[1]]
  assert live.rewind() == kept[0]
  with pytest.raises(InputError, match=f'no mark before position {kept[0]}; it has marks at .{kept[0]}.'):
    live.rewind()
  with pytest.raises(InputError, match=f'no mark at position {kept[2]}'):
    live.rewind(kept[2])
  assert bits(live) == states[kept[0]]


def test_a_fork_has_marks_of_its_own(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT[:4])
  live.mark()
  twin = live.fork()
  twin.feed(DOCUMENT)
  twin.mark()
  live.feed(DOCUMENT)
  assert live.rewind() == twin.rewind(4) == 4 and bits(live) == bits(twin)


def test_a_question_that_is_not_kept_was_never_asked(fresh):
  live, asked = fresh.fork(), fresh.fork()
  for each in (live, asked):
    each.feed(DOCUMENT)
  before = bits(live)
  got = list(live.ask(DOCUMENT[:5], 6, DRAWN, 3, keep=False))
  assert bits(live) == before and live.position == len(DOCUMENT)
  assert list(asked.ask(DOCUMENT[:5], 6, DRAWN, 3)) == got
  assert asked.position == len(DOCUMENT) + 5 + 6
  asked.feed(DOCUMENT[5:7])
  live.feed(np.concatenate([DOCUMENT[:5], got, DOCUMENT[5:7]]))
  assert draw(asked, 4) == draw(live, 4)


def heard(live):
  """What the session's listener is told, by place."""
  told = {}

  def listener(first, tokens, surprise):
    for place, token, bit in zip(range(first, first + len(tokens)), tokens, surprise, strict=True):
      assert place not in told
      told[place] = int(token), float(bit)
  live.listener = listener
  return told


def test_surprise_is_that_of_the_whole_sequence_read_at_once(fresh, params):
  live = fresh.fork()
  told = heard(live)
  live.feed(DOCUMENT[:21])
  assert sorted(told) == list(range(1, 17))
  live.feed(DOCUMENT[21:])
  tokens = draw(live, 5)
  live.feed(DOCUMENT[:3])
  live.catch_up()
  whole = np.concatenate([DOCUMENT, tokens, DOCUMENT[:3]])
  assert [told[t][0] for t in range(1, len(whole))] == whole[1:].tolist() and len(told) == len(whole) - 1
  in_turn = jax.jit(lambda params, carry, x_1T: NET.apply(params, carry, x_1T, parallel=False))
  _, logits_1TV = in_turn(params, fresh.fork()._carry, whole[None])
  logits_TV = np.asarray(logits_1TV[0, :-1], np.float64)
  shares_TV = np.exp(logits_TV) / np.exp(logits_TV).sum(-1, keepdims=True)
  wanted = -np.log2(shares_TV[np.arange(len(whole) - 1), whole[1:]])
  np.testing.assert_allclose([told[t][1] for t in range(1, len(whole))], wanted, atol=2e-4)


def test_listening_changes_no_token_and_costs_nothing_where_nobody_listens(fresh, params):
  live, quiet = session.Session(NET, params, piece=PIECE), fresh.fork()
  told, before = heard(live), quiet._hear._cache_size()
  for each in (live, quiet):
    each.feed(DOCUMENT)
  assert draw(live, 12) == draw(quiet, 12) and len(told) == len(DOCUMENT) + 11
  for got, want in zip(jax.tree.leaves(live.state()), jax.tree.leaves(quiet.state()), strict=True):
    np.testing.assert_allclose(got, want, atol=1e-5)
  assert live._advance._cache_size() == 0 and quiet._hear._cache_size() == before


def test_a_fork_is_not_listened_to(fresh):
  live = fresh.fork()
  told = heard(live)
  twin = live.fork()
  twin.feed(DOCUMENT)
  assert twin.listener is None and not told


def test_a_bank_keeps_a_session_that_goes_on_to_the_last_bit(fresh, tmp_path):
  bank, live = store.Bank(tmp_path / 'bank'), fresh.fork()
  live.feed(DOCUMENT)
  assert live.put(bank, 'ann') == 1
  straight = draw(live, 5)
  other = fresh.fork()
  other.feed(DOCUMENT[:3])
  other.mark()
  assert other.get(bank, 'ann').kind == 'session' and other._marks == {}
  assert draw(other, 5) == straight and bits(other) == bits(live)
  bank.put('heap', live.state(), kind='carry')
  before = bits(other)
  with pytest.raises(InputError, match="is a 'carry', not a 'session'"):
    other.get(bank, 'heap')
  assert bits(other) == before


def test_a_bank_refuses_a_session_of_another_model_or_of_other_parameters(fresh, params, tmp_path):
  bank, live = store.Bank(tmp_path / 'bank'), fresh.fork()
  live.feed(DOCUMENT)
  live.put(bank, 'ann')
  other = session.Session(network(memory=dict(kind='titans', heads=2, chunk=2)), params, piece=PIECE)
  with pytest.raises(InputError, match='another model .memory.chunk is 4 there, 2 here'):
    other.get(bank, 'ann')
  other = session.Session(NET, jax.tree.map(lambda p: p * 1.5, params), piece=PIECE)
  with pytest.raises(InputError, match='fingerprint'):
    other.get(bank, 'ann')


def test_a_state_is_a_copy_and_can_be_taken_back(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT)
  kept, before = live.state(), bits(live)
  draw(live, 5)
  assert bits(live) != before
  live.restore(kept)
  assert bits(live) == before
  live.restore(base_arrays.named(kept))
  assert bits(live) == before and live.bytes == base_arrays.bytes_of(live._carry) + 4 * PIECE


def slots_session():
  net = network(layers=2, memory=dict(kind='slots', slots=5, heads=2, chunk=4, opened=2, steps=1))
  return session.Session(net, shaken(net), piece=PIECE)


def test_thinking_emits_nothing_and_moves_the_slots_alone(fresh):
  live = slots_session()
  with pytest.raises(InputError, match='nothing to think about'):
    live.think()
  live.feed(DOCUMENT[:22])
  twin, before = live.fork(), live.position
  trajectory, = live.think(steps=2).values()
  # Two layers, three steps and what was before them, one row, slots, width; a chunk of what waits is thought about.
  assert trajectory['slots'].shape == (2, 4, 1, 5, 16) and trajectory['thoughts'].shape == (2, 4, 1, 4, 16)
  assert live.position == before and len(live._unread) == 4
  again, = live.replay(dict(memory=trajectory), start=1, steps=2).values()
  jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), again, trajectory)
  twin._read(2)
  moved = {name for name, leaf in base_arrays.named(live._carry).items()
           if not np.array_equal(leaf, base_arrays.named(twin._carry)[name])}
  assert moved == {'memory/cell/slots', 'memory/cell/usage'}
  again, still = twin.think(steps=2, write_back=False), bits(twin)
  np.testing.assert_array_equal(again['memory']['slots'][:, 0], again['memory']['slots'][:, -1])
  assert bits(twin) == still or np.array_equal(twin._carry['memory']['cell']['slots'], again['memory']['slots'][:, 0])
  live.think(about=DOCUMENT[:2])
  draw(live, 3)


def test_models_that_cannot_think_say_which_could(fresh):
  live = fresh.fork()
  live.feed(DOCUMENT)
  before = bits(live)
  with pytest.raises(InputError, match=r"memory titans cannot think.*memories \['slots'\].*'mag'"):
    live.think()
  assert bits(live) == before


def test_what_waits_is_known_when_something_else_is_thought_about(fresh):
  live = slots_session()
  live.feed(DOCUMENT[:22])
  twin = live.fork()
  twin.catch_up()
  told, want = (each.think(about=DOCUMENT[:2])['memory'] for each in (live, twin))
  jax.tree.map(np.testing.assert_array_equal, told, want)
  assert len(live._unread) == 1 and live.position == 22
