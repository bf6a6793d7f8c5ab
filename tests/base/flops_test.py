"""Operations are counted as often as they run."""

import jax
import jax.numpy as jnp

from latentmem.base import flops

W, X = jax.ShapeDtypeStruct((8, 16, 16), jnp.float32), jax.ShapeDtypeStruct((4, 16), jnp.float32)
ONE = 2 * 4 * 16 * 16


def layers(x, w_LDD):
  return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w_LDD)[0]


def test_a_product_is_two_operations_a_multiply_add():
  assert flops.count(lambda x, w: x @ w[0], X, W) == ONE


def test_a_scan_counts_as_often_as_it_runs():
  assert flops.count(layers, X, W) == 8 * ONE


def test_nested_scans_multiply():
  twice = lambda x, w: jax.lax.scan(lambda x, _: (layers(x, w), None), x, None, length=3)[0]
  assert flops.count(twice, X, W) == 24 * ONE


def test_a_gradient_is_three_times_the_forward_pass():
  assert flops.count(jax.grad(lambda x, w: layers(x, w).sum(), argnums=(0, 1)), X, W) == 24 * ONE


def test_remat_counts_what_is_computed_again():
  again = lambda x, w: jax.lax.scan(jax.checkpoint(lambda x, w: (jnp.tanh(x @ w), None)), x, w)[0].sum()
  assert flops.count(jax.grad(again, argnums=(0, 1)), X, W) == 32 * ONE


def test_a_branch_counts_as_its_dearest_arm():
  f = lambda x, w: jax.lax.cond(x[0, 0] > 0, lambda: x @ w[0] @ w[1], lambda: x @ w[0])
  assert flops.count(f, X, W) == 2 * ONE


def test_calls_are_looked_into():
  assert flops.count(jax.jit(lambda x, w: jax.jit(layers)(x, w)), X, W) == 8 * ONE


def test_batched_products_and_convolutions():
  k = jax.ShapeDtypeStruct((5, 3, 7), jnp.float32)
  q = jax.ShapeDtypeStruct((5, 2, 3), jnp.float32)
  assert flops.count(lambda q, k: jnp.einsum('bid,bdj->bij', q, k), q, k) == 2 * 5 * 2 * 3 * 7
  image, kernel = jax.ShapeDtypeStruct((1, 4, 10), jnp.float32), jax.ShapeDtypeStruct((6, 4, 3), jnp.float32)
  conv = lambda x, k: jax.lax.conv_general_dilated(x, k, (1,), 'VALID')
  assert flops.count(conv, image, kernel) == 2 * 6 * 8 * 4 * 3
