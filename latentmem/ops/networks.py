"""The small network whose weights are a memory: f(M; x) = x + LN(MLP(M; x)).

LN's gain and bias are ordinary, slow parameters. Because LN makes the inner loss invariant to the
scale of what the MLP returns, a step that overshoots shrinks the next step instead of growing it.

M weights, one matrix a layer [..., D_in, D_out]; slow = (gain, bias), each [..., D]; x [..., C, D].
"""

import math

import jax
import jax.numpy as jnp

GELU_SCALE, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715

# Large against the usual 1e-5: bytes repeat, so a chunk's writes pile up, and a sharp LN turns them into spikes.
EPS = 1e-2


def widths(width: int, depth: int, expansion: int) -> list[tuple[int, int]]:
  """Shapes of an MLP's matrices: `depth` of them, `expansion` times as wide in between."""
  inner = [expansion * width] * (depth - 1)
  return list(zip([width, *inner], [*inner, width]))


def activate(z: jax.Array) -> tuple[jax.Array, jax.Array]:
  """GELU (tanh form) and its slope."""
  value, slope, _ = activate_twice(z)
  return value, slope


def activate_twice(z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  """GELU (tanh form), its slope, and its slope's slope."""
  inner_slope = GELU_SCALE * (1 + 3 * GELU_CUBE * z**2)
  t = jnp.tanh(GELU_SCALE * (z + GELU_CUBE * z**3))
  rise = (1 - t**2) * inner_slope
  value = 0.5 * z * (1 + t)
  slope = 0.5 * (1 + t) + 0.5 * z * rise
  bend = rise - z * t * inner_slope * rise + 3 * GELU_SCALE * GELU_CUBE * z**2 * (1 - t**2)
  return value, slope, bend


def normalise(z: jax.Array) -> tuple[jax.Array, jax.Array]:
  """(z - mean) / scale along the last axis, and that scale."""
  centred = z - jnp.mean(z, -1, keepdims=True)
  scale = jnp.sqrt(jnp.mean(centred**2, -1, keepdims=True) + EPS)
  return centred / scale, scale


def through_norm(normal: jax.Array, scale: jax.Array, cotangent: jax.Array) -> jax.Array:
  """A gradient at what `normalise` returned, carried to what it was given."""
  mean = lambda a: jnp.mean(a, -1, keepdims=True)
  return (cotangent - mean(cotangent) - normal * mean(cotangent * normal)) / scale


def mlp(weights, x: jax.Array) -> jax.Array:
  """GELU between the matrices."""
  for w in weights[:-1]:
    x = jax.nn.gelu(x @ w)
  return x @ weights[-1]


def swiglu(weights, x: jax.Array) -> jax.Array:
  """(x W_1 silu(x W_2)) W_3."""
  w_1, w_2, w_3 = weights
  return ((x @ w_1) * jax.nn.silu(x @ w_2)) @ w_3


def residual(weights, x: jax.Array) -> jax.Array:
  """Layers that add to their input, x <- x + GELU(x W_l)."""
  for w in weights:
    x += jax.nn.gelu(x @ w)
  return x


def recall(weights, slow, x: jax.Array, inside=mlp) -> jax.Array:
  """f(M; x)."""
  gain, bias = slow
  return x + normalise(inside(weights, x))[0] * gain + bias


def surprise(weights, slow, key, value, network=recall) -> jax.Array:
  """1/2 |f(M; k) - v|^2, summed over the last axis."""
  return 0.5 * jnp.sum((network(weights, slow, key) - value) ** 2, -1)
