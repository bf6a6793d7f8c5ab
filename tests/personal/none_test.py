"""No memory answers everybody alike."""

import numpy as np

from tests.personal import small


def test_everybody_gets_the_same_answer(x64):
  net, params, base = small.built('none', 'float64')
  tokens_BT = np.repeat(small.rows((0,)), 4, axis=0)
  tokens_BT[:, 0] = small.VOCAB + np.arange(4)
  logits_BTV = small.logits(net, params, base, tokens_BT)
  assert np.array_equal(logits_BTV, np.broadcast_to(logits_BTV[:1], logits_BTV.shape))


def test_it_is_prompt_with_one_person(x64):
  net, params, base = small.built('none', 'float64')
  other, _, _ = small.built('prompt', 'float64')
  change_PD = params['params']['personal']['shared']['change']
  as_person = dict(params=dict(personal=dict(personal=dict(change=np.broadcast_to(change_PD, (5, 3, 12))))))
  tokens_BT = small.rows()
  assert np.allclose(small.logits(net, params, base, tokens_BT), small.logits(other, as_person, base, tokens_BT))
