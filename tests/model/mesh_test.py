"""Eight devices train as one: rows, parameters, heads and tokens in pieces, and the losses are the same."""

import contextlib

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
import numpy as np
import pytest

from latentmem.base import sharding
from latentmem.train.state import batch_axes
from tests.cases import slow
from tests.model import subjects

COMPOSITIONS = (('plain', 'delta'), ('mac', 'titans'), slow('mag', 'titans'), slow('attention', 'none'),
                slow('mal', 'linear'), slow('after', 'token_state'))
MESHES = (slow((1, 8, 1, 1)), slow((1, 4, 2, 1)), (1, 2, 2, 2))


def losses(it, params, carry, tokens_BT, reset_BT, context) -> np.ndarray:
  """Of five steps straight down the gradient, too short for a rounding to grow."""
  def loss(params, carry):
    carry, logits_BTV = it.apply(params, carry, tokens_BT, reset_BT, aligned=True)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits_BTV), jnp.roll(tokens_BT, -1, 1)[..., None], axis=-1)
    return -jnp.mean(chosen), carry

  def step(moving, _):
    params, carry = moving
    (value, carry), grads = jax.value_and_grad(loss, has_aux=True)(params, carry)
    return (jax.tree.map(lambda p, g: p - 0.02 * g, params, grads), jax.lax.stop_gradient(carry)), value

  def five(params, carry):
    with context():
      return jax.lax.scan(step, (params, carry), None, length=5)[1]
  return np.asarray(jax.jit(five)(params, carry))


@pytest.mark.parametrize('sizes', MESHES, ids=str)
@pytest.mark.parametrize('kind, held', COMPOSITIONS)
@pytest.mark.parametrize('dtype', ['float64', slow('float32')])
def test_five_steps_on_eight_devices_are_five_on_one(kind, held, sizes, dtype, x64, capfd):
  it = subjects.decoder(kind, held).clone(dtype=dtype, state_dtype=dtype)
  params = jax.tree.map(lambda p: p.astype(dtype), subjects.params_of(it))
  carry = it.apply(params, 8, method='init_state')
  tokens_BT = jax.random.randint(jax.random.key(3), (8, 32), 0, it.vocab)
  reset_BT = jnp.zeros((8, 32), bool).at[:, 0].set(True).at[::2, 8].set(True)
  want = losses(it, params, carry, tokens_BT, reset_BT, contextlib.nullcontext)
  mesh = sharding.make_mesh(*sizes)
  tokens = NamedSharding(mesh, PartitionSpec(sharding.ROWS, sharding.SEQUENCE))
  got = losses(it, jax.device_put(params, sharding.shardings(params, it.layout, mesh)),
               jax.device_put(carry, sharding.carried(carry, it.layout, mesh, batch_axes(it, params))),
               *(jax.device_put(a, tokens) for a in (tokens_BT, reset_BT)),
               lambda: jax.sharding.use_abstract_mesh(mesh.abstract_mesh))
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 if dtype == 'float64' else 1e-4)
  assert want[-1] < want[0] - 1e-3
  assert 'rematerialization' not in capfd.readouterr().err
