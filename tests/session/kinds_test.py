"""Whatever the memory: forked, rewound, saved, banked and batched, a session says what it would have said."""

import numpy as np
import pytest

from latentmem import memory
from latentmem.bank import store
from latentmem.base import arrays
from latentmem.session import sample
from latentmem.session.batch import Batch
from latentmem.session.session import Session
from tests.cases import slow
from tests.model import subjects
from tests.session.live import network, shaken

PIECE, WARM = 8, sample.Sampler(1.0)
DOCUMENT, QUESTION = np.random.default_rng(3).integers(0, 64, (2, 13))
KINDS = ('titans', 'slots', 'token_state', 'delta')


@pytest.mark.parametrize('kind', [kind if kind in KINDS else slow(kind) for kind in memory.kinds()])
def test_every_way_to_go_on_is_the_same(kind, tmp_path):
  fields = dict(kind=kind) | subjects.small(memory, kind, ('width', 'state_dtype'))
  net = network(layers=1, scan=False, memory=fields)
  params = shaken(net)
  live = Session(net, params, piece=PIECE)
  live.feed(DOCUMENT)
  bank, twin = store.Bank(tmp_path / 'bank'), live.fork()
  live.save(tmp_path / 'state')
  live.put(bank, 'ann')
  here = live.mark()
  said, wanted = list(live.ask(QUESTION, 9, WARM, 4)), live.state()

  def goes_on(other, way):
    assert list(other.ask(QUESTION, 9, WARM, 4)) == said, way
    for name, leaf in arrays.named(other.state()).items():
      np.testing.assert_array_equal(leaf, arrays.named(wanted)[name], err_msg=f'{way}: {name}')

  def loaded():
    twin.load(tmp_path / 'state')
    goes_on(twin, 'saved')

  def banked():
    twin.get(bank, 'ann')
    goes_on(twin, 'banked')

  live.rewind(here)
  goes_on(live, 'rewound')
  goes_on(twin, 'forked')
  loaded()
  banked()
  live.rewind(here)
  batch = Batch(net, params, rows=3, piece=PIECE, ahead=4)
  for name, document in dict(other=QUESTION[:5], ann=None).items():
    batch.join(name, None if document is not None else live)
    batch.feed(name, document if document is not None else QUESTION)
    batch.generate(name, 9, WARM, 4)
  streams = dict(other=[], ann=[])
  for step in batch.run():
    for name, tokens in step.items():
      streams[name] += tokens
  assert streams['ann'] == said
  for name, leaf in arrays.named(batch.leave('ann').state()).items():
    np.testing.assert_allclose(leaf, arrays.named(wanted)[name], atol=2e-5, rtol=2e-5, err_msg=f'batched: {name}')
