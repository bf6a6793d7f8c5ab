"""A network whose weights M are the memory, with momentum S, trained as tokens arrive.

  u_t = grad_M 1/2 |f(M_anchor; k_t) - v_t|^2       at the weights the chunk began with
  S_t = e_t S_{t-1} - h_t u_t
  M_t = (1 - a_t) M_{t-1} + w_t S_t                 w_t = 0 where there is no token, else 1
  y_t = f(M_t; q_t)                                 Behrouz et al. 2025, Titans, eq. 9-14, 16-18

`token` is what it means. `chunk` reads C tokens with matrices alone: with L_a, L_e the triangles of
decays between two tokens, beta and m their products from the chunk's start, and

  F = L_a (w m)    G = L_a diag(w) L_e diag(h)

layer l of the query path is  beta (Q_l W_l) + F (Q_l S_l) - (G o Q_l X_l') U_l,  where X_l is what the
layer saw of the keys at the anchor and U_l the loss's gradient at what it returned.

B batch, H heads, C tokens in a chunk, D head width. Trees of weights hold one [B, H, D_in, D_out] a layer.
"""

import jax
import jax.numpy as jnp

from latentmem.ops import decay
from latentmem.ops import networks


def token(anchor, weights, momentum, slow, q, k, v, log_keep, log_e, step, real):
  """One token, one row, one head, as the equations say it.

  Args:
    anchor, weights, momentum: Trees of [D_in, D_out].
    slow: Gain and bias of the network's norm, [D] each.
    q, k, v: [D].
    log_keep, log_e, step, real: log(1 - a_t), log e_t, h_t and w_t, scalars.

  Returns:
    (weights, momentum), y [D].
  """
  gradient = jax.grad(networks.surprise)(anchor, slow, k, v)
  momentum = jax.tree.map(lambda s, u: jnp.exp(log_e) * s - step * u, momentum, gradient)
  weights = jax.tree.map(lambda m, s: jnp.exp(log_keep) * m + real * s, weights, momentum)
  return (weights, momentum), networks.recall(weights, slow, q)


def gradients(anchor, slow, key, value):
  """The write of each key: inputs X_l and gradients U_l of every layer, at the anchor.

  key, value [B, H, C, D]. The loss's gradient with respect to layer l is X_l' U_l, token by token.
  """
  gain, bias = (s[:, None] for s in slow)
  inputs, slopes = [key], []
  for w in anchor[:-1]:
    act, slope = networks.activate(inputs[-1] @ w)
    inputs.append(act)
    slopes.append(slope)
  normal, scale = networks.normalise(inputs[-1] @ anchor[-1])
  error = key + normal * gain + bias - value
  u = networks.through_norm(normal, scale, error * gain)
  back = [u]
  for w, slope in zip(anchor[:0:-1], slopes[::-1]):
    u = (u @ jnp.swapaxes(w, -1, -2)) * slope
    back.append(u)
  return inputs, back[::-1]


def chunk(anchor, weights, momentum, slow, q, k, v, log_keep, log_e, step, real):
  """C tokens at once: `token`, C times, with the same answers.

  Args:
    anchor, weights, momentum: Trees of [B, H, D_in, D_out].
    slow: Gain and bias of the network's norm, [H, D] each.
    q, k, v: [B, H, C, D].
    log_keep, log_e, step, real: [B, H, C].

  Returns:
    (weights, momentum) after the chunk, y [B, H, C, D].
  """
  sum_keep, sum_e = decay.log_cumsum(log_keep), decay.log_cumsum(log_e)
  beta, m = jnp.exp(sum_keep)[..., None], jnp.exp(sum_e)[..., None]
  still_seen = decay.triangle_of_sums(sum_keep) * real[..., None, :]
  pushes = decay.triangle_of_sums(sum_e) * step[..., None, :]
  f, g = still_seen @ m, still_seen @ pushes

  inputs, back = gradients(anchor, slow, k, v)
  read = q
  for layer, (w, s, x, u) in enumerate(zip(weights, momentum, inputs, back)):
    overlap = g * (read @ jnp.swapaxes(x, -1, -2))
    z = beta * (read @ w) + f * (read @ s) - overlap @ u
    read = z if layer == len(weights) - 1 else jax.nn.gelu(z)
  gain, bias = (s[:, None] for s in slow)
  y = q + networks.normalise(read)[0] * gain + bias

  def moved(coefficients, x, u):
    return jnp.swapaxes(coefficients[..., None] * x, -1, -2) @ u

  ends = [(beta[..., -1:, :] * w + f[..., -1:, :] * s - moved(g[..., -1, :], x, u),
           m[..., -1:, :] * s - moved(pushes[..., -1, :], x, u))
          for w, s, x, u in zip(weights, momentum, inputs, back)]
  return (tuple(w for w, _ in ends), tuple(s for _, s in ends)), y


def overlap(keys, shares):
  """What earlier writes of the chunk leave each key to write: prod_{s<t} (1 - r_s (k_t . k_s)^2).

  Within a chunk gradients do not see one another, so a key seen ten times would be written ten times
  over. This is the first-order trace of the sequential delta rule, where it would be written once.

  keys [B, H, C, D] with |k| < 1, shares r in [0, 1) [B, H, C]; 0 where there is no token. -> [B, H, C].
  """
  alike = jnp.square(keys @ jnp.swapaxes(keys, -1, -2)) * shares[..., None, :]
  earlier = jnp.tril(jnp.ones(alike.shape[-2:], bool), -1)
  return jnp.exp(jnp.sum(jnp.log1p(-jnp.where(earlier, alike, 0)), -1))


def overlap_one(keys, shares, k):
  """`overlap` of one more key, k [B, H, D], with the keys [B, H, C, D] of its chunk so far. -> [B, H]."""
  alike = jnp.square(jnp.einsum('bhcd,bhd->bhc', keys, k)) * shares
  return jnp.exp(jnp.sum(jnp.log1p(-alike), -1))
