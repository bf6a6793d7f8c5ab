"""Mean embeddings of questions are measured and brought to one size in every direction, against numpy."""

import jax
import numpy as np
import pytest

from latentmem.personal import questions
from latentmem.personal.questions import Moments
from tests.checks import assert_close
from tests.personal import small


def drawn(count=500, width=6):
  """Nearly parallel, and unlike in size from one direction to the next."""
  rng = np.random.default_rng(0)
  turned = np.linalg.qr(rng.normal(size=(width, width)))[0]
  return 5 + rng.normal(size=(count, width)) * 0.5 ** np.arange(width) @ turned


def of(e_ND):
  return questions.moments(e_ND, np.ones(len(e_ND), bool))


def test_questions_have_mean_0_and_size_1_in_every_direction_that_is_kept(x64):
  e_ND = drawn()
  for directions in (6, 4):
    found = questions.measured(of(e_ND), directions)
    e_NR = e_ND @ found['basis'] - found['offset']
    sizes = np.sort(np.linalg.eigvalsh(np.cov(e_ND.T, bias=True)))[::-1]
    want = sizes[:directions] / (sizes[:directions] + questions.FLOOR * sizes[0])
    np.testing.assert_allclose(e_NR.mean(0), 0, atol=1e-4)
    assert_close(np.cov(e_NR.T, bias=True), np.diag(want), 1e-4)


def test_features_tell_apart_what_is_nearly_parallel(x64):
  e_ND = drawn()
  alike = e_ND / np.linalg.norm(e_ND, axis=1, keepdims=True)
  assert (alike @ alike.T).mean() > 0.97
  e_NR = questions.features(questions.measured(of(e_ND), 6), e_ND, np.ones(len(e_ND)))
  assert_close(np.mean(np.square(e_NR), -1), np.ones(len(e_NR)), 1e-6)
  assert abs((e_NR @ e_NR.T / 6).mean()) < 0.02


def test_what_was_measured_is_not_learned(x64):
  found = questions.measured(of(drawn()), 4)
  grads = jax.grad(lambda found: questions.features(found, drawn(3), np.ones(3)).sum())(found)
  assert not any(np.any(grad) for grad in grads.values())


@pytest.mark.parametrize('e_ND', [np.zeros((3, 4)), np.full((3, 4), 0.3), drawn(2, 4)])
def test_few_questions_and_equal_ones_stay_finite(e_ND):
  found = questions.measured(of(e_ND), 4)
  assert all(np.isfinite(each).all() for each in found.values())
  for asked in (e_ND, np.zeros((1, 4)), drawn(2, 4)):
    assert np.isfinite(questions.features(found, asked.astype(np.float32), np.ones(len(asked)))).all()


def test_rounding_is_no_difference():
  one_D = drawn(1, 128)[0].astype(np.float32)
  e_ND = np.stack([one_D, np.nextafter(one_D, 9)] * 50)
  found = questions.measured(of(e_ND), 128)
  assert np.abs(e_ND @ found['basis'] - found['offset']).max() < 1e-2


def test_of_no_questions_nothing_is_known():
  found, want = questions.measured(of(np.zeros((0, 4))), 3), questions.unmeasured(4, 3)
  jax.tree.map(assert_close, found, want)


def test_sums_over_parts_are_sums_over_all_and_rows_that_ask_nothing_do_not_count(x64):
  e_ND = drawn(7)
  whole, parts = of(e_ND), [of(part) for part in (e_ND[:3], e_ND[3:])]
  jax.tree.map(assert_close, parts[0] + parts[1], whole)
  masked = questions.moments(np.concatenate([e_ND, np.full((2, 6), 9.0)]), np.arange(9) < 7)
  jax.tree.map(assert_close, masked, whole)
  assert isinstance(parts[0] + parts[1], Moments) and whole.count == 7


def test_a_model_tells_the_mean_embeddings_of_its_rows_questions(x64):
  net, _, base = small.built('lpm', 'float64')
  tokens_BT = small.rows((0, 1, 2))
  tokens_BT[1, 1:1 + small.QUESTION] = -1
  found = questions.moments(*net.apply(base, tokens_BT, method='asked'))
  embed = np.asarray(base['base']['embed'])
  e_ND = np.stack([embed[row_T[row_T >= 0]].mean(0) for row_T in tokens_BT[[0, 2], 1:1 + small.QUESTION]])
  jax.tree.map(assert_close, found, Moments(2, e_ND.sum(0), e_ND.T @ e_ND))
