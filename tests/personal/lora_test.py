"""lora is W + (alpha / R) a b in the chosen projections, and in no other."""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model
from latentmem.base.spans import NOTHING
from tests.checks import assert_close
from tests.personal import small


def test_it_is_the_base_with_changed_matrices(x64):
  net, params, base = small.built('lora', 'float64', alpha=3.0, targets='q,o,down')
  tables = params['params']['personal']['personal']
  assert set(tables) == {'q', 'o', 'down'}
  u, tokens_BT = 2, small.rows((2,), least=small.QUESTION)
  changed = jax.tree.map(np.array, base['base'])
  for name, each in tables.items():
    for layer in range(2):
      weight = changed['block'][name]['weight'][layer]
      # Base matrices are [out, in].
      weight += np.asarray(3.0 / 2 * each['a'][u, layer] @ each['b'][u, layer]).T.reshape(weight.shape)
  own = model.make(**net.base)
  assert NOTHING not in tokens_BT
  read = lambda own, tokens_BT: own(own.init_state(1), tokens_BT)[1]
  want_BTV = small.applied(own, dict(params=changed), read, jnp.asarray(tokens_BT[:, 1:]))
  assert_close(small.logits(net, params, base, tokens_BT)[:, 1:], want_BTV)


def test_alpha_left_open_is_twice_the_rank(x64):
  given = lambda **chosen: (lambda net, params, base: small.given(net, params, base, small.rows()).lora)(
      *small.built('lora', 'float64', **chosen))
  assert_close(given(), given(alpha=4.0))
