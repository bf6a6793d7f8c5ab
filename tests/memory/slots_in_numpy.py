"""Slots written as loops in numpy, one row, from the equations of `latentmem.ops.slots`.

Shares nothing with the library but the names of parameters.
"""

import numpy as np

from tests.memory.in_numpy import sigmoid


def normal(x):
  return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + 1e-5)


def unit(x):
  return x / np.sqrt(np.sum(x * x, -1, keepdims=True) + 1e-5)


def softmax(scores):
  """Of a dict, name to score."""
  most = max(scores.values(), default=0)
  share = {name: np.exp(score - most) for name, score in scores.items()}
  return {name: each / sum(share.values()) for name, each in share.items()}


def step(p, z_M, s_NM, live_N, odds_H):
  """-> z, the weights [H, N], the gates [H]."""
  heads, count = p['query'].shape[1], len(s_NM)
  a_HN, r = np.zeros((heads, count)), []
  for h in range(heads):
    q = unit(z_M @ p['query'][:, h])
    score = {n: np.exp(p['sharp'][h]) * q @ unit(s_NM[n] @ p['keys'][:, 0, h]) for n in range(count) if live_N[n]}
    for n, share in softmax(score).items():
      a_HN[h, n] = share
    r.append(sum(a_HN[h, n] * (s_NM[n] @ p['keys'][:, 1, h]) for n in range(count)))
  both = np.concatenate([z_M, *r])
  inner = both @ p['up']
  c_M = np.concatenate(r) + (inner * sigmoid(inner)) @ p['down']
  g_H = sigmoid(odds_H + both @ p['keep'])
  g_M = np.repeat(g_H, len(z_M) // heads)
  return normal((1 - g_M) * z_M + g_M * c_M), a_HN, g_H


def write(p, s_NM, live_N, opened_NG, z_CM, written_C, compete):
  """-> slots, the gates [N], what each token gave each slot [N, C]."""
  count, tokens = len(s_NM), len(z_CM)
  score, a_NC = np.zeros((count, tokens)), np.zeros((count, tokens))
  for n in range(count):
    for t in range(tokens):
      score[n, t] = np.exp(p['sharp_write']) * unit(s_NM[n] @ p['ask']) @ unit(z_CM[t] @ p['offer'])
      score[n, t] += sum(opened_NG[n, i] * p['share'][i, t] for i in range(opened_NG.shape[1]))
  for one in range(tokens if compete == 'slots' else count):
    if compete == 'slots':
      nobody = z_CM[one] @ p['drain'] + p['share'][-1, one]
      share = softmax({n: score[n, one] for n in range(count) if live_N[n]} | dict(nobody=nobody))
      for n in range(count):
        a_NC[n, one] = share.get(n, 0) * written_C[one]
    elif live_N[one]:
      for t, share in softmax({t: score[one, t] for t in range(tokens) if written_C[t]}).items():
        a_NC[one, t] = share
  s_NM, w_N = s_NM.copy(), np.zeros(count)
  for n in range(count):
    mass = a_NC[n].sum()
    u_M = a_NC[n] @ z_CM / (mass + 1e-6)
    gate = sigmoid(np.concatenate([s_NM[n], u_M]) @ p['write'] + p['write_bias'])
    w_N[n] = min(mass, 1) * (1 if opened_NG[n].any() else gate)
    s_NM[n] += w_N[n] * (u_M - s_NM[n])
  return s_NM, w_N, a_NC


def opened(store, start_NM, count, policy):
  """Opens slots, one after another -> opened_NG. `store` (slots, ages, usage of one row) is changed in place."""
  s_NM, ages, usage = store['slots'], store['ages'], store['usage']
  slots = len(s_NM)
  if policy == 'merge':
    while sum(ages == 0) < count and sum(ages > 0) > 1:
      pairs = [(unit(s_NM[n]) @ unit(s_NM[m]), n, m) for n in range(slots) for m in range(n + 1, slots)
               if ages[n] and ages[m]]
      _, n, m = max(pairs)
      s_NM[n] = ((usage[n] + 1) * s_NM[n] + (usage[m] + 1) * s_NM[m]) / (usage[n] + usage[m] + 2)
      ages[n], usage[n] = max(ages[n], ages[m]), usage[n] + usage[m]
      ages[m] = usage[m] = 0
  free = [n for n in range(slots) if not ages[n]][:count]
  others = sorted((n for n in range(slots) if ages[n]), key=lambda n: usage[n]) if policy == 'evict' else []
  opened_NG = np.zeros((slots, count))
  for i, n in enumerate([*free, *others][:count]):
    s_NM[n], ages[n], usage[n], opened_NG[n, i] = start_NM[n], 1, 0, 1
  return opened_NG
