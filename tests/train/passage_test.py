"""A held-out passage and its surprise come from the model, token by token."""

import jax
import numpy as np

from latentmem.model import interface
from latentmem.train import passage
from launch import parts
from tests.train import small


class Text:
  """Two held-out documents, the second longer."""

  def heldout(self, rows, length, align):
    for size in (3, length):
      tokens_BT = np.zeros((1, length), np.int32)
      tokens_BT[0, :size] = np.arange(1, size + 1)
      weights_BT = (tokens_BT > 0).astype(np.float32)
      yield dict(tokens_BT=tokens_BT, weights_BT=weights_BT, reset_BT=np.arange(length)[None] == 0)

  def pieces(self, ids):
    return [chr(96 + i) for i in ids]


def test_the_first_long_enough_document_is_taken():
  assert passage.heldout_tokens(Text(), 6, 4).tolist() == [1, 2, 3, 4, 5, 6]


def test_each_layer_tells_its_surprise_at_each_token():
  model = parts.build(small.config(memory='titans', model_fields=dict(layers=2, vocab=16))).model
  read = passage.record(model, interface.init_params(model, jax.random.key(0)), Text(), length=6)
  assert read['tokens'] == [1, 2, 3, 4, 5, 6] and read['pieces'] == list('abcdef')
  assert np.shape(read['surprise_before']) == (2, 6) and np.isfinite(read['surprise_before']).all()


def test_what_is_no_text_or_tells_nothing_has_no_passage():
  built = parts.build(small.config(model_fields=dict(vocab=16)))
  params = interface.init_params(built.model, jax.random.key(0))
  assert passage.record(built.model, params, built.source) is None
  assert passage.record(built.model, params, Text(), length=4) is None
