"""Slots in one latent space: vectors that are asked, reasoned over, and written by tokens mapped into the same space.

  k_n, v_n = unit(W_k s_n), W_v s_n                            a slot's address and content, head by head
  a_n = softmax_n(sharp unit(W_q z) . k_n), r = sum_n a_n v_n  retrieve; of slots in use, 0 if none are
  c = r + W_2 silu(W_1 [z ; r])                                combine
  g = sigmoid(odds + W_g [z ; r])                              keep what came of it (1) or discard it (0), by head
  z <- normal((1 - g) z + g c)

  e_nt = sharp unit(W_a s_n) . unit(W_o z_t) + b_nt            what slot n wants of token t
  compete = 'slots'    a_nt = softmax_n(e_nt, d_t)             tokens are shared out among the slots, d_t nobody's share
  compete = 'tokens'   a_nt = softmax_t(e_nt)                  every slot takes its own
  m_n = sum_t a_nt, u_n = sum_t a_nt z_t / m_n
  w_n = min(m_n, 1) sigmoid(W_w [s_n ; u_n]), or min(m_n, 1) where the slot has just been opened
  s_n <- (1 - w_n) s_n + w_n u_n

Slots are means of tokens that are normed, so they stay as small as these however long the input is. Competition is that
of Slot Attention (Locatello et al. 2020, arXiv 2006.15055, algorithm 1), with a gate in the place of the GRU.
B batch (rows), T tokens that ask, C tokens of a chunk, N slots, G slots opened, M width, H heads of K = M / H.
"""

import jax
import jax.numpy as jnp

from latentmem.ops.kept_states import shares

COMPETE = ('slots', 'tokens')
# What a trajectory records before the first step and after each; anything else it records of each step.
STATES = ('slots', 'thoughts', 'usage')


def normal(x):
  """x over its root mean square along the last axis; zeros stay."""
  return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-5)


def unit(x):
  """x over its length along the last axis; what is next to nothing stays so."""
  return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + 1e-5)


def columns(weights, s_BNM):
  """What slots are found by and what is found there: dict of k and v, [B, N, H, K]."""
  kv = jnp.einsum('bnm,mphk->pbnhk', s_BNM, weights['keys'])
  return dict(k=unit(kv[0]), v=kv[1])


def retrieve(weights, z_BTM, held, live_BN):
  """Tokens ask slots. -> r [B, T, M] and the weights a [B, T, H, N].

  Args:
    weights: query [M, H, K] and sharp [H], the logarithm of the attention's sharpness.
    held: From `columns`.
    live_BN: Slots in use.
  """
  q_BTHK = unit(jnp.einsum('btm,mhk->bthk', z_BTM, weights['query']))
  score_BTHN = jnp.einsum('bthk,bnhk->bthn', q_BTHK, held['k']) * jnp.exp(weights['sharp'])[:, None]
  a_BTHN = shares(score_BTHN, live_BN[:, None, None])
  return jnp.einsum('bthn,bnhk->bthk', a_BTHN, held['v']).reshape(z_BTM.shape), a_BTHN


def step(weights, z_BTM, held, live_BN, odds_BTH):
  """One step of reasoning. -> z [B, T, M], what was read of each slot [B, T, H, N], the gates [B, T, H].

  Args:
    weights: As `retrieve`'s, and up [2 M, F], down [F, M], keep [2 M, H].
    odds_BTH: The gates' log odds before what is retrieved is looked at.
  """
  r_BTM, a_BTHN = retrieve(weights, z_BTM, held, live_BN)
  both = jnp.concatenate([z_BTM, r_BTM], -1)
  c_BTM = r_BTM + jax.nn.silu(both @ weights['up']) @ weights['down']
  g_BTH = jax.nn.sigmoid(odds_BTH + both @ weights['keep'])
  g_BTM = jnp.repeat(g_BTH, z_BTM.shape[-1] // g_BTH.shape[-1], axis=-1)
  return normal((1 - g_BTM) * z_BTM + g_BTM * c_BTM), a_BTHN, g_BTH


def reason(weights, z_BTM, held, live_BN, odds_RBTH):
  """Steps, one after another. -> z, what was read of each slot, mean over heads, summed over steps [B, T, N],
  and the last step's weights and gates."""
  read_BTN = 0
  for odds_BTH in odds_RBTH:
    z_BTM, a_BTHN, g_BTH = step(weights, z_BTM, held, live_BN, odds_BTH)
    read_BTN += jnp.mean(a_BTHN, 2)
  return z_BTM, read_BTN, a_BTHN, g_BTH


def write(weights, s_BNM, live_BN, opened_BNG, z_BCM, written_BC, compete: str):
  """Slots take what they want of tokens. -> slots, the gates w [B, N], what each token gave each slot [B, N, C].

  Args:
    weights: ask, offer [M, A], sharp_write [], share [G + 1, C], drain [M] and write [2 M], write_bias [].
    live_BN: Slots in use, opened ones included.
    opened_BNG: Which slots are opened, 1 at slot n, i where n is the i-th of them: b_nt is share_it there, 0 elsewhere;
      the last row of share is in d_t.
    written_BC: Tokens that are written.
    compete: 'slots' or 'tokens'.
  """
  tokens = z_BCM.shape[1]
  wanted = jnp.einsum('bna,bca->bnc', unit(s_BNM @ weights['ask']), unit(z_BCM @ weights['offer']))
  score_BNC = wanted * jnp.exp(weights['sharp_write'])
  score_BNC += jnp.einsum('bng,gc->bnc', opened_BNG, weights['share'][:-1, :tokens])
  if compete == 'slots':
    nobody_BC = z_BCM @ weights['drain'] + weights['share'][-1, :tokens]
    score_BNC = jnp.where(live_BN[..., None], score_BNC, -jnp.inf)
    a_BNC = jax.nn.softmax(jnp.concatenate([score_BNC, nobody_BC[:, None]], 1), 1)[:, :-1] * written_BC[:, None]
  else:
    a_BNC = shares(score_BNC, written_BC[:, None] > 0) * live_BN[..., None]
  mass_BN = jnp.sum(a_BNC, -1)
  u_BNM = jnp.einsum('bnc,bcm->bnm', a_BNC, z_BCM) / (mass_BN + 1e-6)[..., None]
  gate_BN = jax.nn.sigmoid(jnp.concatenate([s_BNM, u_BNM], -1) @ weights['write'] + weights['write_bias'])
  w_BN = jnp.minimum(mass_BN, 1) * jnp.where(jnp.any(opened_BNG > 0, -1), 1, gate_BN)
  return s_BNM + w_BN[..., None] * (u_BNM - s_BNM), w_BN, a_BNC


def settle(weights, s_BNM, live_BN, steps: int):
  """Slots ask one another, and each keeps what comes of it: `step`, with slots in the place of tokens.

  Args:
    weights: As `step`'s, and settle_bias [H], the gates' log odds.
  """
  for _ in range(steps):
    odds_BNH = jnp.broadcast_to(weights['settle_bias'], s_BNM.shape[:2] + weights['settle_bias'].shape)
    told_BNM, _, _ = step(weights, s_BNM, columns(weights, s_BNM), live_BN, odds_BNH)
    s_BNM = jnp.where(live_BN[..., None], told_BNM, s_BNM)
  return s_BNM


def trajectory(weights, begun, start: int, odds, compete: str, write_back: bool):
  """Steps that are recorded, and written back to the slots one by one, with no slot opened.

  Args:
    begun: A trajectory: slots, thoughts, usage [S+1, B, ...], live [B, N], and of S > 0 steps weights, gates, written.
    start: The step to take it up at; records of later steps make way.
    odds: Log odds of the gates of every step from there, [S - start, B, Q, H].
  """
  live_BN = begun['live']

  def one(now, odds_BQH):
    s_BNM, z_BQM = now['slots'], now['thoughts']
    z_BQM, a_BQHN, g_BQH = step(weights, z_BQM, columns(weights, s_BNM), live_BN, odds_BQH)
    w_BN = jnp.zeros(s_BNM.shape[:2], s_BNM.dtype)
    if write_back:
      nothing_BN0 = jnp.zeros((*live_BN.shape, weights['share'].shape[0] - 1), s_BNM.dtype)
      s_BNM, w_BN, _ = write(weights, s_BNM, live_BN, nothing_BN0, z_BQM, jnp.ones(z_BQM.shape[:2], z_BQM.dtype),
                             compete)
    usage_BN = now['usage'] + jnp.sum(jnp.mean(a_BQHN, 2), 1)
    then = dict(slots=s_BNM, thoughts=z_BQM, usage=usage_BN)
    return then, (then, dict(weights=a_BQHN, gates=g_BQH, written=w_BN))

  then, moves = jax.lax.scan(one, {name: begun[name][start] for name in STATES}, odds)[1]

  def whole(name, new):
    kept = start + (name in STATES)
    return jnp.concatenate([begun[name][:kept], new]) if kept else new
  return {name: whole(name, new) for name, new in (then | moves).items()} | dict(live=live_BN)
