"""A question is answered from all there is, and the shares are those of that answer, to the bit."""

import jax
import numpy as np
import pytest

from latentmem.bank import store
from latentmem.base.errors import InputError
from latentmem.model import sources
from latentmem.session import recall
from latentmem.session.session import Session
from tests.session.live import network, shaken

rng = np.random.default_rng(2)
BOOK, TALK, QUESTION = rng.integers(0, 64, 38), rng.integers(0, 64, 22), rng.integers(0, 64, 5)


@pytest.fixture(scope='module')
def lives(tmp_path_factory):
  """A bank that holds what was left of a book, and a talk."""
  net = network(memory=dict(kind='slots', slots=5, heads=2, chunk=4, opened=2, steps=1))
  live = Session(net, shaken(net), piece=8)
  bank, book = store.Bank(tmp_path_factory.mktemp('bank') / 'bank'), live.fork()
  book.feed(BOOK)
  book.put(bank, 'book')
  live.feed(TALK)
  return live, bank


@pytest.fixture(scope='module')
def found(lives):
  live, bank = lives
  before = jax.tree.map(np.copy, live.state())
  found = recall.answer(live, QUESTION, bank, ['book'], length=6)
  jax.tree.map(np.testing.assert_array_equal, live.state(), before)
  return found


def test_the_answer_is_that_of_the_joined_session_and_its_bits_are_what_it_hears(lives, found):
  live, bank = lives
  own, heard = live.fork(), []
  own.catch_up()
  both = recall.joined(own, bank, ['book'])
  both.feed(QUESTION)
  both.listener = lambda first, tokens, bits: heard.append((first, bits))
  assert list(both.generate(6)) == found.tokens
  bits = [bit for first, bits in heard for bit in bits if first >= len(TALK) + len(QUESTION)]
  assert len(bits) == 6 and abs(sum(bits) - found.bits[sources.SOURCES]) < 1e-3


def test_without_the_bank_an_answer_costs_what_it_costs_the_live_session(lives, found):
  live, bank = lives
  told, twin = {}, live.fork()
  twin.catch_up()
  twin.listener = lambda first, tokens, bits: told.update(zip(range(first, first + len(bits)), bits))
  twin.feed(np.concatenate([QUESTION, found.tokens]))
  twin.catch_up()
  wanted = sum(told[place] for place in range(len(TALK) + len(QUESTION), len(TALK) + len(QUESTION) + 6))
  assert abs(found.bits['short', 'new'] - wanted) < 1e-3
  assert abs(found.lost['long'] - (wanted - found.bits[sources.SOURCES])) < 1e-3


def test_what_waits_in_a_bank_to_be_read_or_written_is_recalled_too(lives, found):
  """A book of which nothing was read when it was put, and one read but for a piece; both end within a chunk."""
  live, bank = lives
  lazy = Session(live.model, live.params, piece=64)
  lazy.feed(BOOK)
  lazy.put(bank, 'lazy')
  again = recall.answer(live, QUESTION, bank, ['lazy'], length=0, told=found.tokens)
  np.testing.assert_allclose(list(again.bits.values()), list(found.bits.values()), rtol=1e-4)
  lazy = Session(live.model, live.params, piece=64)
  lazy.feed(BOOK[:-1])
  lazy.put(bank, 'shorter')
  shorter = recall.answer(live, QUESTION, bank, ['shorter'], length=0, told=found.tokens)
  assert abs(shorter.bits[sources.SOURCES] - found.bits[sources.SOURCES]) > 1e-3


def test_shares_add_up_and_masses_are_shares_of_attention(found):
  assert abs(sum(found.shares.values()) - (found.bits[()] - found.bits[sources.SOURCES])) < 1e-6
  assert set(found.shares) == set(found.lost) == set(sources.SOURCES) and len(found.bits) == 8
  assert found.mass['long'] > 0.01 and found.mass['new'] > 0.01 and abs(sum(found.mass.values()) - 1) < 1e-5
  assert max(map(abs, found.shares.values())) > 0.01


def test_shares_are_those_of_a_game_worked_out_by_hand():
  """long and new say the same, worth 6 bits; short adds 1 of its own, and 2 more beside either of them."""
  saved = {(): 0, ('long',): 6, ('short',): 1, ('new',): 6, ('long', 'short'): 9, ('long', 'new'): 6,
           ('short', 'new'): 9, ('long', 'short', 'new'): 9}
  shares = recall.shapley({choice: 20.0 - bits for choice, bits in saved.items()})
  assert {name: round(share, 9) for name, share in shares.items()} == dict(
      long=round(10 / 3, 9), short=round(7 / 3, 9), new=round(10 / 3, 9))


def test_an_answer_that_is_given_is_weighed(lives, found):
  live, bank = lives
  again = recall.answer(live, QUESTION, bank, ['book'], length=0, told=found.tokens)
  assert again.bits == found.bits and again.tokens == found.tokens


def test_what_cannot_be_recalled_is_told(lives):
  live, bank = lives
  ask = lambda live, question=QUESTION, names=('book',), length=2: recall.answer(live, question, bank, names, length)
  with pytest.raises(InputError, match="no object 'bok' .did you mean 'book'"):
    ask(live, names=['bok'])
  with pytest.raises(InputError, match='at least one token'):
    ask(live, question=[])
  with pytest.raises(InputError, match='no token cannot be weighed'):
    ask(live, length=0)
  net = network()
  with pytest.raises(InputError, match=r"memories \['slots'\]"):
    ask(Session(net, shaken(net)))
