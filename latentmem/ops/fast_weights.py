"""A network whose weights M are the memory, with momentum S, trained as tokens arrive.

  u_t = grad_M 1/2 |f(M_anchor; k_t) - v_t|^2       at the weights the chunk began with
  S_t = e_t S_{t-1} - h_t u_t
  M_t = (1 - a_t) M_{t-1} + a_t O + w_t S_t         w_t = 0 where there is no token, else 1
  y_t = f(M_t; q_t)                                 Behrouz et al. 2025, Titans, eq. 9-14, 16-18

O is where forgetting leads: zero in the paper, here also the weights a document starts with.
`token` is what it means. `chunk` reads C tokens with matrices alone: with L_a, L_e the triangles of
decays between two tokens, beta and m their products from the chunk's start, and

  F = L_a (w m)    G = L_a diag(w) L_e diag(h)

layer l of the query path is  beta (Q_l W_l) + F (Q_l S_l) + (1 - beta) (Q_l O_l) - (G o Q_l X_l') U_l,  where
X_l is what the layer saw of the keys at the anchor and U_l the loss's gradient at what it returned.

B batch, H heads, C tokens in a chunk, D head width. Trees of weights hold one [B, H, D_in, D_out] a layer.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from latentmem.ops import decay, networks


def token(anchor, weights, momentum, slow, q, k, v, log_keep, log_e, step, real, scales=None, origin=None,
          network=networks.recall):
  """One token, one row, one head, as the equations say it.

  Args:
    anchor, weights, momentum: Trees of [D_in, D_out].
    slow: Gain and bias of the network's norm, [D] each.
    q, k, v: [D].
    log_keep, log_e, step, real: log(1 - a_t), log e_t, h_t and w_t, scalars.
    scales: What multiplies the step of each layer, [L]; None for 1.
    origin: O, a tree as the weights are; None for zero.
    network: f(M, slow, x); any will do.

  Returns:
    (weights, momentum), y [D].
  """
  gradient = jax.grad(lambda m: networks.surprise(m, slow, k, v, network))(anchor)
  if scales is not None:
    gradient = tuple(scale * u for scale, u in zip(scales, gradient))
  momentum = jax.tree.map(lambda s, u: jnp.exp(log_e) * s - step * u, momentum, gradient)
  weights = jax.tree.map(lambda m, s: jnp.exp(log_keep) * m + real * s, weights, momentum)
  if origin is not None:
    weights = jax.tree.map(lambda m, o: m - jnp.expm1(log_keep) * o, weights, origin)
  return (weights, momentum), network(weights, slow, q)


class Coefficients(NamedTuple):
  """How much each token of a chunk sees of what; scalars a head, the same for all layers of the network."""

  beta: jax.Array  # [B, H, C, 1], of the weights the chunk began with
  f: jax.Array  # [B, H, C, 1], of the momentum the chunk began with
  g: jax.Array  # [B, H, C, C], of each token's write
  m_end: jax.Array  # [B, H, 1, 1], of the momentum, at the chunk's end
  push_end: jax.Array  # [B, H, C, 1], of each token's write in the momentum, at the chunk's end


def coefficients(log_keep, log_e, step, real) -> Coefficients:
  """From log(1 - a), log e, h and w, [B, H, C] each."""
  sum_keep, sum_e = decay.log_cumsum(log_keep), decay.log_cumsum(log_e)
  m = jnp.exp(sum_e)[..., None]
  still_seen = decay.triangle_of_sums(sum_keep) * real[..., None, :]
  pushes = decay.triangle_of_sums(sum_e) * step[..., None, :]
  return Coefficients(beta=jnp.exp(sum_keep)[..., None], f=still_seen @ m, g=still_seen @ pushes,
                      m_end=m[..., -1:, :], push_end=pushes[..., -1, :, None])


def turned(a: jax.Array) -> jax.Array:
  """The last two axes exchanged."""
  return jnp.swapaxes(a, -1, -2)


def output_gradient(z, key, value, gain, bias):
  """U of the last layer: the loss's gradient at what the MLP returned, z."""
  normal, scale = networks.normalise(z)
  return networks.through_norm(normal, scale, (key + normal * gain + bias - value) * gain)


def gradients(anchor, slow, key, value):
  """The write of each key: inputs X_l and gradients U_l of every layer, at the anchor.

  key, value [B, H, C, D]. The loss's gradient with respect to layer l is X_l' U_l, token by token.
  """
  inputs, slopes = [key], []
  for w in anchor[:-1]:
    act, slope = networks.activate(inputs[-1] @ w)
    inputs.append(act)
    slopes.append(slope)
  back = [output_gradient(inputs[-1] @ anchor[-1], key, value, *over_tokens(slow))]
  for w, slope in zip(anchor[:0:-1], slopes[::-1]):
    back.append((back[-1] @ turned(w)) * slope)
  return inputs, back[::-1]


def over_tokens(slow):
  """Slow parameters [..., D] as [..., 1, D]."""
  return tuple(s[..., None, :] for s in slow)


def answers(weights, momentum, c: Coefficients, q, inputs, back, origin=None):
  """What the MLP returns to each query from the weights of its own moment, z [B, H, C, D] before the norm."""
  read = q
  for layer, (x, u) in enumerate(zip(inputs, back)):
    z = recalled(layer, weights, momentum, origin, c, read) - (c.g * (read @ turned(x))) @ u
    read = z if layer == len(weights) - 1 else jax.nn.gelu(z)
  return read


def recalled(layer, weights, momentum, origin, c: Coefficients, read):
  """What a layer returns but for the chunk's own writes."""
  z = c.beta * (read @ weights[layer]) + c.f * (read @ momentum[layer])
  return z if origin is None else z + (1 - c.beta) * (read @ origin[layer])


def ends(weights, momentum, c: Coefficients, inputs, back, origin=None):
  """Weights and momentum after the chunk."""
  beta, f, g = c.beta[..., -1:, :], c.f[..., -1:, :], c.g[..., -1, :, None]
  new = [(beta * w + f * s - turned(x) @ (g * u), c.m_end * s - turned(x) @ (c.push_end * u))
         for w, s, x, u in zip(weights, momentum, inputs, back)]
  weights, momentum = (tuple(tree) for tree in zip(*new))
  if origin is not None:
    weights = tuple(w + (1 - beta) * o for w, o in zip(weights, origin))
  return weights, momentum


def settle(q, z, gain, bias):
  """y from what the MLP returned."""
  return q + networks.normalise(z)[0] * gain + bias


def chunk(anchor, weights, momentum, slow, q, k, v, c: Coefficients, scales=None, origin=None):
  """C tokens at once: `token`, C times, with the same answers.

  Args:
    anchor, weights, momentum: Trees of [B, H, D_in, D_out].
    slow: Gain and bias of the network's norm, [H, D] each.
    q, k, v: [B, H, C, D].
    c: Of these tokens.
    scales: What multiplies the step of each layer, [H, L]; None for 1.
    origin: O, a tree as the weights are; None for zero.

  Returns:
    (weights, momentum) after the chunk, y [B, H, C, D].
  """
  inputs, back = gradients(anchor, slow, k, v)
  if scales is not None:
    back = [scales[:, layer, None, None] * u for layer, u in enumerate(back)]
  z = answers(weights, momentum, c, q, inputs, back, origin)
  return ends(weights, momentum, c, inputs, back, origin), settle(q, z, *over_tokens(slow))


def overlap(keys, shares):
  """What earlier writes of the chunk leave each key to write: prod_{s<t} (1 - r_s (k_t . k_s)^2).

  Within a chunk gradients do not see one another, so a key seen ten times would be written ten times
  over. This is the first-order trace of the sequential delta rule, where it would be written once.

  keys [B, H, C, D] with |k| < 1, shares r in [0, 1) [B, H, C]; 0 where there is no token. -> [B, H, C].
  """
  alike = jnp.square(keys @ turned(keys)) * shares[..., None, :]
  earlier = jnp.tril(jnp.ones(alike.shape[-2:], bool), -1)
  return jnp.exp(jnp.sum(jnp.log1p(-jnp.where(earlier, alike, 0)), -1))


def overlap_one(keys, shares, k):
  """`overlap` of one more key, k [B, H, D], with the keys [B, H, C, D] of its chunk so far. -> [B, H]."""
  alike = jnp.square(jnp.sum(keys * k[..., None, :], -1)) * shares
  return jnp.exp(jnp.sum(jnp.log1p(-alike), -1))
