"""A slot alone gives what its head gives where it looks at nothing else; the nearest token is the nearest."""

import jax
import numpy as np

from latentmem.personal import look
from tests.checks import assert_close
from tests.personal import small
from tests.personal.lpm_test import in_loops


def test_a_slot_alone_is_its_heads_prompt(x64):
  _, params, _ = small.built('lpm', 'float64')
  tables = jax.tree.map(np.asarray, params['params']['personal'])
  slots_UHNM = tables['personal']['slots'][:2]
  got_UHND = look.alone(tables['shared'], slots_UHNM)
  assert got_UHND.shape == (2, 3, 4, 12)
  for u, n in ((0, 0), (1, 3)):
    assert_close(got_UHND[u, :, n], in_loops(tables['shared'], slots_UHNM[u, :, n:n + 1], np.zeros(12)))


def test_the_nearest_token_is_the_nearest():
  embed_VD = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
  token, cosine = look.nearest(3 * embed_VD[[[4, 2]]], embed_VD, 2)
  assert token[..., 0].tolist() == [[4, 2]] and token.shape == (1, 2, 2)
  np.testing.assert_allclose(cosine[..., 0], 1, rtol=1e-5)
  assert np.all(cosine[..., 1] < cosine[..., 0])
