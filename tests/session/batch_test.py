"""Every row of a batch says what its session alone says, whoever joins, reads and leaves beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.bank import store
from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.session import sample
from latentmem.session.batch import Batch, STOPS
from latentmem.session.session import Session
from tests.session.live import network, PIECE, shaken

NET = network(scan=False)
WARM = sample.Sampler(temperature=0.7, top_k=9, top_p=0.9)
rng = np.random.default_rng(5)
DOCUMENTS = [rng.integers(0, 64, n) for n in (3, 8, 21, 30, 1)]


@pytest.fixture(scope='module')
def params():
  return shaken(NET)


@pytest.fixture(scope='module')
def alone(params):
  return Session(NET, params, piece=PIECE)


@pytest.fixture(scope='module')
def batch(params):
  return Batch(NET, params, rows=4, piece=PIECE, ahead=3)


@pytest.fixture(autouse=True)
def empty(batch):
  yield
  for name in batch.names:
    batch.leave(name)


def collected(batch, said):
  for step in batch.run():
    for name, tokens in step.items():
      said.setdefault(name, []).extend(tokens)
  return said


def solo(alone, document, length, *how):
  live = alone.fork()
  live.feed(document)
  return list(live.generate(length, *how)), live


def close(live, other):
  assert (live.position, live._unread.tolist()) == (other.position, other._unread.tolist())
  for name, leaf in arrays.named(other._carry).items():
    np.testing.assert_allclose(arrays.named(live._carry)[name], leaf, atol=2e-5, err_msg=name)


def test_every_stream_is_that_of_its_session_alone(batch, alone):
  hows = [(sample.GREEDY,), (sample.Sampler(1.0), 3), (WARM, 4), (sample.Sampler(1.3, 5), 7)]
  for i, (document, how) in enumerate(zip(DOCUMENTS, hows)):
    batch.join(f'user{i}')
    batch.feed(f'user{i}', document)
    batch.generate(f'user{i}', 9 + i, *how)
  said = collected(batch, {})
  for i, (document, how) in enumerate(zip(DOCUMENTS, hows)):
    want, live = solo(alone, document, 9 + i, *how)
    assert said[f'user{i}'] == want
    close(batch.leave(f'user{i}'), live)
  assert not batch.busy and not batch.names


def test_sessions_join_and_leave_while_others_go_on(batch, alone):
  said = {}
  def steps(count):
    for _ in range(count):
      for name, tokens in batch.step().items():
        said.setdefault(name, []).extend(tokens)
  batch.join('ann')
  batch.feed('ann', DOCUMENTS[3])
  batch.generate('ann', 30, sample.Sampler(1.0), 1)
  steps(5)
  batch.join('bob')
  batch.feed('bob', DOCUMENTS[2])
  batch.generate('bob', 12)
  steps(4)
  left = batch.leave('bob')
  batch.join('eve')
  batch.feed('eve', DOCUMENTS[0])
  batch.generate('eve', 6, WARM, 2)
  collected(batch, said)
  wants = dict(ann=solo(alone, DOCUMENTS[3], 30, sample.Sampler(1.0), 1)[0], bob=solo(alone, DOCUMENTS[2], 12)[0],
               eve=solo(alone, DOCUMENTS[0], 6, WARM, 2)[0])
  assert said['ann'] == wants['ann'] and said['eve'] == wants['eve']
  assert 0 < len(said['bob']) < 12 and said['bob'] + list(left.generate(12 - len(said['bob']))) == wants['bob']


def test_who_left_comes_back_through_a_file_and_a_bank(batch, alone, tmp_path):
  bank = store.Bank(tmp_path / 'bank')
  want, _ = solo(alone, DOCUMENTS[2], 12, sample.Sampler(1.0), 1)
  batch.join('other')
  batch.feed('other', DOCUMENTS[3])
  batch.join('ann')
  batch.feed('ann', DOCUMENTS[2])
  batch.generate('ann', 5, sample.Sampler(1.0), 1)
  said = collected(batch, {})['ann']
  batch.fork('ann').put(bank, 'ann')
  batch.leave('ann').save(tmp_path / 'ann')
  for come in (lambda live: live.load(tmp_path / 'ann'), lambda live: live.get(bank, 'ann')):
    live = alone.fork()
    come(live)
    assert live.position == 26
    batch.join('ann', live)
    batch.generate('ann', 7, sample.Sampler(1.0), 1)
    assert said + collected(batch, {})['ann'] == want
    batch.leave('ann')


def test_rows_with_nothing_to_do_stay_as_they_are(batch):
  for name, document in zip(('idle', 'busy'), DOCUMENTS[2:]):
    batch.join(name)
    batch.feed(name, document)
    batch.generate(name, 3)
  collected(batch, {})
  before = batch.fork('idle').state()
  batch.feed('busy', DOCUMENTS[3])
  batch.generate('busy', 7)
  assert set(collected(batch, {})) == {'busy'}
  jax.tree.map(np.testing.assert_array_equal, batch.fork('idle').state(), before)


def test_what_others_do_changes_no_bit_of_a_row(batch):
  def read(others):
    batch.join('ann')
    for i, document in enumerate(others):
      batch.join(str(i))
      batch.feed(str(i), document)
      batch.generate(str(i), 9)
    batch.feed('ann', DOCUMENTS[2])
    batch.generate('ann', 9)
    collected(batch, {})
    state = batch.leave('ann').state()
    for i in range(len(others)):
      batch.leave(str(i))
    return state
  jax.tree.map(np.testing.assert_array_equal, read(DOCUMENTS[1:4]), read(DOCUMENTS[2:4][::-1]))


def test_an_answer_ends_at_a_stop_that_is_read(batch, alone):
  whole, _ = solo(alone, DOCUMENTS[2], 12, sample.Sampler(1.0), 3)
  end = next(i for i in range(3, 12) if whole[i] not in whole[:i])
  batch.join('ann')
  batch.feed('ann', DOCUMENTS[2])
  batch.generate('ann', None, sample.Sampler(1.0), 3, stops=[whole[end], 63])
  assert collected(batch, {})['ann'] == whole[:end]
  left = batch.leave('ann')
  assert left.position == len(DOCUMENTS[2]) + end + 1 and left._unread.tolist() == [whole[end]]


def test_two_programs_do_it_all_and_a_row_takes_what_a_session_takes(batch, alone):
  for i, document in enumerate(DOCUMENTS[:4]):
    batch.join(str(i))
    batch.feed(str(i), document)
    batch.generate(str(i), 2 + i, WARM, i)
  size = batch.bytes_per_row
  collected(batch, {})
  assert (batch._read._cache_size(), batch._one._cache_size()) == (1, 1)
  assert batch.bytes_per_row == size == arrays.bytes_of(alone._carry)


def test_what_cannot_be_is_told(batch, alone, params):
  for name in ('ann', 'bob', 'eve', 'joe'):
    batch.join(name)
  with pytest.raises(InputError, match="no session 'anm' in the batch .did you mean 'ann'.*'joe'"):
    batch.feed('anm', [1])
  with pytest.raises(InputError, match='All 4 rows are taken'):
    batch.join('sue')
  with pytest.raises(InputError, match="a session 'ann' already"):
    batch.join('ann')
  with pytest.raises(InputError, match='reach from 64 to 64'):
    batch.feed('ann', [64])
  with pytest.raises(InputError, match='at least one token'):
    batch.generate('ann')
  batch.feed('ann', [1])
  batch.generate('ann', -5)
  assert not batch.busy and not list(batch.run())
  with pytest.raises(InputError, match=f'{STOPS} tokens at most'):
    batch.generate('ann', stops=range(STOPS + 1))
  batch.leave('joe')
  other = Session(NET, jax.tree.map(lambda p: p * 1.5, params), piece=PIECE)
  with pytest.raises(InputError, match='another model, or other parameters'):
    batch.join('joe', other)
  same = Session(NET, jax.tree.map(jnp.copy, params), piece=PIECE)
  batch.join('joe', same)
  with pytest.raises(InputError, match='rows=0'):
    Batch(NET, params, rows=0)
