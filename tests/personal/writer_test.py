"""Writing moves one person's numbers, keeps what was known, and is read by the same model that was trained."""

import jax
import numpy as np
import pytest

from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.personal.profile import Item
from latentmem.personal.store import Store
from latentmem.personal.writer import _groups, Writer
from tests.personal import small

BEGIN = 20
# Few, because the base was trained by nobody and says little that is sure.
OLD = [Item((1, 2, 3), (BEGIN, 12)), Item((4, 5, 6), (BEGIN, 13))]
NEW = [Item((7, 8, 9), (BEGIN, 14)), Item((10, 11, 15), (BEGIN, 12))]


def strong(kind):
  """A model, its parameters and the base's; lpm's projection adds more to its words than at the start of training."""
  sizes = dict(lpm=dict(heads=8, slots=8, slot_width=8), lora=dict(rank=4), prompt=dict(tokens=4))[kind]
  net, params, base = small.built(kind, **sizes)
  more = lambda path, leaf: leaf + 0.7 * arrays.name_of(path).endswith('shared/scale')
  return net, jax.tree_util.tree_map_with_path(more, params), base


def writer_of(kind):
  net, params, base = strong(kind)
  return Writer(net, params, base['base'], answer=3, rows=8)


@pytest.fixture(scope='module', params=['lpm', 'lora'])
def writer(request):
  return writer_of(request.param)


def test_new_is_learned_old_stays_and_nothing_else_moves(writer):
  constant = jax.tree.map(np.array, writer._constant)
  ann = writer.absorb(writer.blank('ann'), OLD, steps=150)
  assert writer.right(ann, OLD).all() and not writer.right(ann, NEW).all()
  both = writer.absorb(ann, NEW, steps=250)
  assert writer.right(both, OLD).all() and writer.right(both, NEW).all()
  assert both.items == (*OLD, *NEW)
  jax.tree.map(np.testing.assert_array_equal, constant, jax.tree.map(np.array, writer._constant))
  forgetful = writer.absorb(ann, NEW, steps=250, rehearse=0.0)
  assert writer.nats(forgetful, OLD).sum() > writer.nats(both, OLD).sum()
  assert [writer.recall(both, item.question, BEGIN) for item in (*OLD, *NEW)] == [[12], [13], [14], [12]]


def test_what_is_asked_has_half_the_rows_whatever_else_is_told():
  told = [Item((), (BEGIN, 3, 4))] * 30
  old, new = [*OLD, *told], [*told, *NEW]
  places, counts = zip(*_groups(old, new, 8, 0.5))
  assert counts == (2, 2, 2, 2) and [len(each) for each in places] == [2, 30, 2, 30]
  assert places[0] == [0, 1] and places[2] == [62, 63]
  assert [count for _, count in _groups(old, new, 8, 0.0)] == [0, 0, 4, 4]
  assert _groups(OLD, (), 8, 0.5) == [([0, 1], 8)] and _groups((), told, 8, 0.5) == [([*range(30)], 8)]
  assert [count for _, count in _groups(old, new, 2, 0.5)] == [1, 0, 1, 0]
  assert [count for _, count in _groups(old, new, 7, 0.5)] == [2, 2, 2, 1]


def test_a_row_weighs_the_same_however_long(writer):
  blank = writer.blank('ann')
  short, long = Item((7, 8, 9), (BEGIN, 14)), Item((1, 2, 3), (BEGIN, 12, 13))
  batch = [jax.numpy.asarray(column) for column in writer._laid([short] * 4 + [long] * 4)]
  whole = writer._table(blank)
  nats = writer.nats(blank, [short, long])
  loss = writer._step(writer._constant, whole, writer._optimizer.init(whole), batch)[2]
  # Two programs of float32.
  assert loss == pytest.approx((nats[0] + nats[1] / 2) / 2, rel=1e-5)


def test_a_prompt_is_written_into_too():
  writer = writer_of('prompt')
  blank = writer.blank('ann')
  # A base that nobody trained has little to be prompted to.
  written = writer.absorb(blank, OLD, steps=150)
  assert writer.nats(written, OLD).sum() < 0.9 * writer.nats(blank, OLD).sum()


def test_an_edited_item_is_answered_anew(writer):
  ann = writer.absorb(writer.blank('ann'), OLD, steps=150)
  changed = writer.absorb(ann.edited(1, (BEGIN, 19)), (), steps=250)
  assert writer.recall(changed, OLD[1].question, BEGIN) == [19]
  assert writer.right(changed, [item for item in changed.items]).all() and len(changed.items) == len(OLD)


def test_an_answer_goes_on_until_it_has_ended(writer):
  blank = writer.blank('ann')
  two = writer.recall(blank, (1, 2), BEGIN, 2)
  assert len(two) == 2 and writer.recall(blank, (1, 2), BEGIN, 2, lambda said: True) == two[:1]


def test_a_kept_profile_is_read_as_before(writer, tmp_path):
  ann = writer.absorb(writer.blank('ann'), OLD, steps=3)
  store = Store(tmp_path, writer.fits)
  store.write(ann)
  np.testing.assert_array_equal(writer.nats(store.read('ann'), OLD), writer.nats(ann, OLD))


def test_somebody_of_the_table_is_read_as_the_model_reads(writer):
  net, params, base = strong(writer.net.adapter['kind'])
  known = writer.known('bob', 3)
  tokens_BT, targets_BA, _ = writer._laid(OLD)
  tokens_BT[:, 0] = small.VOCAB + 3
  logits_BV = small.logits(net, params, base, tokens_BT)[:, 1 + small.QUESTION]
  nats = np.asarray(jax.nn.logsumexp(logits_BV, -1) - logits_BV[np.arange(2), targets_BA[:, 0]])
  # Two programs of float32.
  np.testing.assert_allclose(writer.nats(known, OLD), nats, rtol=1e-4)


def test_what_cannot_be_written_is_refused(writer):
  blank = writer.blank('ann')
  for items, more, said in (([], {}, 'nothing to write'), ([Item((1,), (1, 23))], {}, 'the token 23'),
                            ([Item((1,) * 8, (1, 2))], {}, 'question of 8'), (OLD, dict(steps=0), '1 step or more'),
                            (OLD, dict(rehearse=2.0), 'share of rehearsal')):
    with pytest.raises(InputError, match=said):
      writer.absorb(blank, items, **more)


def test_nobody_is_written_into_no_memory():
  net, params, base = small.built('none')
  with pytest.raises(InputError, match='none holds nothing of a person'):
    Writer(net, params, base['base'])
