"""A soft prompt starts as words, is the person's own, and stands before the question."""

import jax.numpy as jnp
import numpy as np

from latentmem import model
from tests.checks import assert_close
from tests.personal import small


def test_the_base_reads_it_before_the_question(x64):
  net, params, base = small.built('prompt', 'float64')
  tokens_BT = small.rows((4,), least=small.QUESTION)
  embed = np.asarray(base['base']['embed'])
  words_TD = embed[tokens_BT[0, 1:]]
  start_PD = embed[np.random.default_rng(0).integers(small.VOCAB, size=3)]
  size = np.sqrt(np.mean(np.square(words_TD[:small.QUESTION])))
  prompt_PD = start_PD + size * np.asarray(params['params']['personal']['personal']['change'][4])
  own = model.make(**net.base)
  x_BTD = jnp.concatenate([prompt_PD, words_TD])[None]
  read = lambda own, x_BTD: own.logits(own.through(own.init_state(1), x_BTD)[1][:, 3:])
  want_BTV = small.applied(own, dict(params=base['base']), read, x_BTD)
  assert_close(small.logits(net, params, base, tokens_BT)[:, 1:], want_BTV, 1e-9)


def test_it_starts_as_words(x64):
  net, params, base = small.built('prompt', 'float64')
  zero = dict(params=dict(personal=dict(personal=dict(change=jnp.zeros((5, 3, 12))))))
  given = small.given(net, zero, base, small.rows())
  embed = np.asarray(base['base']['embed'])
  assert all((np.abs(embed - p_D).max(1) == 0).any() for p_D in given.prompt_BPD[1])
