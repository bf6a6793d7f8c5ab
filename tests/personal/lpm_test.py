"""lpm is the paper's equation: against loops written from it."""

import math

import jax
import numpy as np

from latentmem.base.spans import NOTHING
from latentmem.personal import lpm
from tests.checks import assert_close
from tests.personal import small


def gelu(x):
  return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def in_loops(shared, slots_HNM, e_D):
  """LN_h(p + MLP(p)), p = softmax(W_Qh e (W_Kh M_h)' / sqrt d) W_Vh M_h, head by head, slot by slot."""
  query, key, value, up, down = (shared[name] / math.sqrt(shared[name].shape[-2])
                                 for name in ('query', 'key', 'value', 'up', 'down'))
  out = []
  for h, slots_NM in enumerate(slots_HNM):
    q_K = e_D @ query[h]
    scores = [q_K @ (m @ key[h]) / math.sqrt(len(q_K)) for m in slots_NM]
    weights = [math.exp(s) / sum(math.exp(other) for other in scores) for s in scores]
    p_D = sum(w * (m @ value[h]) for w, m in zip(weights, slots_NM))
    p_D = p_D + gelu(p_D @ up) @ down
    p_D = (p_D - p_D.mean()) / np.sqrt(p_D.var() + 1e-6)
    out.append(p_D * shared['scale'][h] + shared['bias'][h])
  return np.stack(out)


def test_read_is_the_equation(x64):
  net, params, _ = small.built('lpm', 'float64')
  tables = jax.tree.map(np.asarray, params['params']['personal'])
  e_BD = np.random.default_rng(0).normal(size=(3, 12))
  slots_BHNM = tables['personal']['slots'][[4, 0, 4]]
  got_BHD, attention_BHN = lpm.read(tables['shared'], slots_BHNM, e_BD)
  assert got_BHD.shape == (3, 3, 12) and attention_BHN.shape == (3, 3, 4)
  assert_close(got_BHD, np.stack([in_loops(tables['shared'], m, e) for m, e in zip(slots_BHNM, e_BD)]))


def test_a_rows_prompt_is_made_of_its_question_and_its_persons_slots(x64):
  net, params, base = small.built('lpm', 'float64')
  tokens_BT = small.rows((3, 1))
  given = small.given(net, params, base, tokens_BT)
  tables, embed = jax.tree.map(np.asarray, params['params']['personal']), np.asarray(base['base']['embed'])
  for row_T, prompt_HD in zip(tokens_BT, given.prompt_BPD):
    words = [embed[t] for t in row_T[1:1 + small.QUESTION] if t >= 0]
    e_R = sum(words) / len(words) @ tables['shared']['basis'] - tables['shared']['offset']
    e_R = e_R / np.sqrt(np.mean(e_R ** 2))
    size = np.sqrt(np.mean(np.square(words)))
    first_HD = embed[np.random.default_rng(0).integers(small.VOCAB, size=len(prompt_HD))]
    want = first_HD + size * in_loops(tables['shared'], tables['personal']['slots'][row_T[0] - small.VOCAB], e_R)
    # The numbers that keep roots from zero are 1e-6 of what stands there, and less.
    assert_close(prompt_HD, want, 1e-5)


def test_another_question_reads_other_slots(x64):
  net, params, base = small.built('lpm', 'float64')
  one, other = small.rows((3,), seed=0), small.rows((3,), seed=1)
  look = lambda row: small.given(net, params, base, row).looks['attention_BHN']
  assert np.abs(look(one) - look(other)).max() > 1e-2
  np.testing.assert_allclose(look(one).sum(-1), 1)


def test_where_nothing_is_asked_all_slots_are_read_alike(x64):
  net, params, base = small.built('lpm', 'float64')
  tokens_BT = small.rows((0, 1))
  tokens_BT[1, 1:1 + small.QUESTION] = NOTHING
  attention_BHN = small.given(net, params, base, tokens_BT).looks['attention_BHN']
  assert np.ptp(attention_BHN[0], -1).min() > 1e-2
  assert_close(attention_BHN[1], np.full((3, 4), 1 / 4))


def test_fewer_directions_make_a_smaller_projection(x64):
  net, params, base = small.built('lpm', 'float64', directions=5)
  shared = params['params']['personal']['shared']
  assert (shared['query'].shape, shared['basis'].shape, shared['offset'].shape) == ((3, 5, 6), (12, 5), (5,))
  assert small.given(net, params, base, small.rows()).prompt_BPD.shape == (4, 3, 12)
