"""Chunk after chunk of `fast_weights`, with a backward pass written by hand.

The forward pass keeps the weights at every `group`-th chunk's start and what the MLP returned to each
query; the backward pass runs through each group once more for the states between, then backwards,
using G, the overlaps and each product with a cotangent for all that needs them. Nothing per token
or per chunk of the weights' size is kept but those states.

N chunks, B batch, H heads, C tokens in a chunk, D head width; d_a is the loss's gradient at a.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from latentmem.base import arrays
from latentmem.ops import fast_weights, networks
from latentmem.ops.fast_weights import over_tokens, turned


class Inputs(NamedTuple):
  """Of tokens: q, k, v [..., B, H, C, D]; the rest [..., B, H, C]. `step` before the overlap brake."""

  q: jax.Array
  k: jax.Array
  v: jax.Array
  log_keep: jax.Array
  log_e: jax.Array
  step: jax.Array
  share: jax.Array


def group_of(count: int) -> int:
  """How many of `count` chunks to run through again at a time: none of a few, else the divisor nearest sqrt(count)."""
  if count <= 16:
    return 1
  return min((g for g in range(1, count + 1) if count % g == 0), key=lambda g: abs(g - count ** 0.5))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def read(group: int, to_fresh: bool, state, fresh, slow, inputs: Inputs, renew_NB):
  """N whole chunks.

  Args:
    group: The backward pass keeps the state every `group` chunks; divides N.
    to_fresh: Whether forgetting leads to the weights of `fresh`, not to zero.
    state: (weights, momentum) at the first chunk's start, trees of [B, H, D_in, D_out].
    fresh: The same, of a document's start.
    slow: Gain and bias of the network's norm, [B, H, D] each: one sum over rows after the last chunk, not one a chunk.
    inputs: With N chunks first.
    renew_NB: True in rows that turn to `fresh` after the chunk.

  Returns:
    state after the last chunk, y [N, B, H, C, D].
  """
  return _forward(group, to_fresh, state, fresh, slow, inputs, renew_NB)[0]


def _coefficients(k, log_keep, log_e, step, share):
  step = step * fast_weights.overlap(k, share)
  return fast_weights.coefficients(log_keep, log_e, step, jnp.ones_like(step))


def _of(x: Inputs):
  return _coefficients(x.k, x.log_keep, x.log_e, x.step, x.share)


def _advance(origin, state, fresh, slow, x: Inputs, renew_B):
  """The state after one chunk, nothing asked."""
  weights, momentum = state
  written = fast_weights.gradients(weights, slow, x.k, x.v)
  return arrays.pick(renew_B, fresh, fast_weights.ends(weights, momentum, _of(x), *written, origin))


def _forward(group, to_fresh, state, fresh, slow, inputs, renew_NB):
  origin = fresh[0] if to_fresh else None

  def one(state, x):
    x, renew_B = x
    weights, momentum = state
    c = _of(x)
    written = fast_weights.gradients(weights, slow, x.k, x.v)
    z = fast_weights.answers(weights, momentum, c, x.q, *written, origin)
    state = arrays.pick(renew_B, fresh, fast_weights.ends(weights, momentum, c, *written, origin))
    return state, (fast_weights.settle(x.q, z, *over_tokens(slow)), z)

  def many(state, x):
    end, out = jax.lax.scan(one, state, x)
    return end, (state, out)

  grouped = _grouped(group, (inputs, renew_NB))
  end, (starts, (y, z)) = jax.lax.scan(many, state, grouped)
  kept = (starts, fresh, slow, grouped, z)
  return (end, _flat(y)), kept


def _grouped(group, tree):
  return jax.tree.map(lambda a: a.reshape(-1, group, *a.shape[1:]), tree)


def _flat(tree):
  return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), tree)


def _backward(group, to_fresh, kept, cotangents):
  starts, fresh, slow, (inputs, renew), z = kept
  d_state, d_y = cotangents
  origin = fresh[0] if to_fresh else None
  # Their gradients stay apart, token by token of a chunk, until the last is in: one sum instead of one a chunk.
  slow_BHCD = tuple(jnp.broadcast_to(s, z.shape[2:]) for s in over_tokens(slow))

  def one(carry, saved):
    d_state, d_fresh, d_slow = carry
    (weights, momentum), x, (renew_B, any_renew), z, d_y = saved
    d_state, d_fresh = jax.lax.cond(any_renew, _renewed, lambda _, *d: d, renew_B, d_state, d_fresh)
    d_state, d_origin, d_slow_here, d_x = _chunk_backward(weights, momentum, origin, slow_BHCD, x, z, d_state, d_y)
    if origin is not None:
      d_fresh = jax.tree.map(jnp.add, d_fresh[0], d_origin), d_fresh[1]
    return (d_state, d_fresh, jax.tree.map(jnp.add, d_slow, d_slow_here)), d_x

  def many(carry, saved):
    start, x, (renew_GB, any_renew_G), z, d_y = saved
    if group == 1:
      states = jax.tree.map(lambda a: a[None], start)
    else:
      step = lambda state, x: (_advance(origin, state, fresh, slow, *x), state)
      _, states = jax.lax.scan(step, start, (x, renew_GB))
    return jax.lax.scan(one, carry, (states, x, (renew_GB, any_renew_G), z, d_y), reverse=True)

  # Asked for all chunks at once: rows may lie on many devices, and a question in each chunk would make them wait.
  renew = renew, jnp.any(renew, 2)
  carry = (d_state, *(jax.tree.map(jnp.zeros_like, tree) for tree in (fresh, slow_BHCD)))
  carry, d_inputs = jax.lax.scan(many, carry, (starts, inputs, renew, z, _grouped(group, d_y)), reverse=True)
  d_state, d_fresh, d_slow = carry
  return d_state, d_fresh, tuple(jnp.sum(d, -2) for d in d_slow), _flat(d_inputs), None


read.defvjp(_forward, _backward)


def _renewed(renew_B, d_state, d_fresh):
  """A row that turned to `fresh` owes its gradient to `fresh`, and none to what it was."""
  none = jax.tree.map(jnp.zeros_like, d_state)
  return arrays.pick(renew_B, none, d_state), jax.tree.map(jnp.add, d_fresh, arrays.pick(renew_B, d_state, none))


def _total(a, b):
  """sum a b, over a layer's matrix. [B, H, 1, 1]."""
  return jnp.sum(a * b, (-1, -2), keepdims=True)


def _over_width(a, b):
  return jnp.sum(a * b, -1, keepdims=True)


def _chunk_backward(weights, momentum, origin, slow_BHCD, x: Inputs, z, d_ends, d_y):
  """Through one chunk. -> d (weights, momentum), d origin, d slow, d inputs."""
  c, through_coefficients = jax.vjp(_coefficients, *x[1:2], *x[3:])
  keys = _KeyPath(weights, slow_BHCD, x.k, x.v)
  d_q, d_z, d_gain, d_bias = jax.vjp(fast_weights.settle, x.q, z, *slow_BHCD)[1](d_y)
  d_c, d_layers, d_read = _answers_backward(weights, momentum, origin, c, x.q, keys, d_z)
  d_c, d_layers = _ends_backward(weights, momentum, origin, c, keys, d_ends, d_c, d_layers)
  d_weights, d_key, d_value, (d_gain_k, d_bias_k) = keys.backward(d_layers)
  d_k, *d_gates = through_coefficients(d_c)
  d_slow = d_gain + d_gain_k, d_bias + d_bias_k
  d_state = d_weights, tuple(layer.s for layer in d_layers)
  d_origin = tuple(layer.o for layer in d_layers)
  return d_state, d_origin, d_slow, Inputs(d_q + d_read, d_key + d_k, d_value, *d_gates)


class _Layer(NamedTuple):
  """Gradients gathered for one layer: what multiplies into W, of S, of O, of its key inputs and of U."""

  left: list
  right: list
  w: jax.Array
  s: jax.Array
  o: jax.Array
  x: jax.Array
  u: jax.Array


def _answers_backward(weights, momentum, origin, c, q, keys, d_z):
  """Through `fast_weights.answers`. -> d coefficients, a _Layer a layer, d q."""
  last = len(weights) - 1
  reads, slopes, overlaps = [q], [], []
  for layer, (x, u) in enumerate(zip(keys.inputs, keys.back)):
    overlaps.append(reads[-1] @ turned(x))
    if layer < last:
      z = fast_weights.recalled(layer, weights, momentum, origin, c, reads[-1]) - (c.g * overlaps[-1]) @ u
      act, slope = networks.activate(z)
      reads.append(act)
      slopes.append(slope)
  d_beta = d_f = d_g = 0
  layers = []
  for layer in range(last, -1, -1):
    w, s, x, u, read, seen = (a[layer] for a in (weights, momentum, keys.inputs, keys.back, reads, overlaps))
    into_w, into_s = d_z @ turned(w), d_z @ turned(s)
    d_seen = -(d_z @ turned(u))
    d_beta += _over_width(read, into_w)
    d_f += _over_width(read, into_s)
    d_g += d_seen * seen
    d_overlap = d_seen * c.g
    layers.insert(0, _Layer(
        left=[read], right=[c.beta * d_z], w=0, s=turned(read) @ (c.f * d_z), o=0,
        x=turned(d_overlap) @ read, u=-(turned(c.g * seen) @ d_z)))
    d_read = c.beta * into_w + c.f * into_s + d_overlap @ x
    if origin is not None:
      into_o = d_z @ turned(origin[layer])
      d_beta -= _over_width(read, into_o)
      d_read += (1 - c.beta) * into_o
      layers[0] = layers[0]._replace(o=turned(read) @ ((1 - c.beta) * d_z))
    if layer:
      d_z = d_read * slopes[layer - 1]
  return fast_weights.Coefficients(d_beta, d_f, d_g, 0, 0), layers, d_read


def _ends_backward(weights, momentum, origin, c, keys, d_ends, d_c, layers):
  """Through `fast_weights.ends`, added to what is there."""
  beta, f, g = c.beta[..., -1:, :], c.f[..., -1:, :], c.g[..., -1, :, None]
  at_end = dict(beta=0, f=0, g=0, m_end=0, push_end=0)
  out = []
  for w, s, d_w, d_s, x, u, layer in zip(weights, momentum, *d_ends, keys.inputs, keys.back, layers):
    x_w, x_s = x @ d_w, x @ d_s
    at_end['beta'] += _total(w, d_w)
    at_end['f'] += _total(s, d_w)
    at_end['m_end'] += _total(s, d_s)
    at_end['g'] -= _over_width(x_w, u)
    at_end['push_end'] -= _over_width(x_s, u)
    out.append(layer._replace(
        w=beta * d_w, s=layer.s + f * d_w + c.m_end * d_s,
        u=layer.u - g * x_w - c.push_end * x_s,
        x=layer.x - (g * u) @ turned(d_w) - (c.push_end * u) @ turned(d_s)))
  if origin is not None:
    at_end['beta'] -= sum(_total(o, d_w) for o, d_w in zip(origin, d_ends[0]))
    out = [layer._replace(o=layer.o + (1 - beta) * d_w) for layer, d_w in zip(out, d_ends[0])]
  d_c = fast_weights.Coefficients(
      beta=d_c.beta.at[..., -1:, :].add(at_end['beta']), f=d_c.f.at[..., -1:, :].add(at_end['f']),
      g=d_c.g.at[..., -1, :].add(at_end['g'][..., 0]), m_end=at_end['m_end'], push_end=at_end['push_end'])
  return d_c, out


class _KeyPath:
  """`fast_weights.gradients`, with what its own backward pass needs."""

  def __init__(self, weights, slow, key, value):
    self.weights, self.inputs, self.slopes, self.bends = weights, [key], [], []
    for w in weights[:-1]:
      act, slope, bend = networks.activate_twice(self.inputs[-1] @ w)
      self.inputs.append(act)
      self.slopes.append(slope)
      self.bends.append(bend)
    u, self.through_output = jax.vjp(
        fast_weights.output_gradient, self.inputs[-1] @ weights[-1], key, value, *slow)
    self.back, self.unsloped = [u], []
    for w, slope in zip(weights[:0:-1], self.slopes[::-1]):
      self.unsloped.insert(0, self.back[0] @ turned(w))
      self.back.insert(0, self.unsloped[0] * slope)

  def backward(self, layers):
    """d weights, d key, d value, d slow, from what was gathered for X_l, U_l and W_l."""
    last = len(layers) - 1
    d_z, d_u = [], layers[0].u
    for layer in range(last):
      d_unsloped = d_u * self.slopes[layer]
      d_z.append(d_u * self.unsloped[layer] * self.bends[layer])
      d_u = layers[layer + 1].u + d_unsloped @ self.weights[layer + 1]
      layers[layer + 1].left.append(d_unsloped)
      layers[layer + 1].right.append(self.back[layer + 1])
    d_top, d_key, d_value, *d_slow = self.through_output(d_u)
    d_z.append(d_top)
    d_weights = []
    for layer in range(last, -1, -1):
      if layer < last:
        d_z[layer] += d_x * self.slopes[layer]
      gathered = layers[layer]
      left = jnp.concatenate([*gathered.left, self.inputs[layer]], -2)
      right = jnp.concatenate([*gathered.right, d_z[layer]], -2)
      d_weights.insert(0, gathered.w + turned(left) @ right)
      d_x = gathered.x + d_z[layer] @ turned(self.weights[layer])
    return tuple(d_weights), d_key + d_x, d_value, d_slow
