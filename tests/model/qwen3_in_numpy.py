"""Qwen3 as its equations say, in float64 and in loops: one document, one row, token after token, head after head."""

import numpy as np


def norm(x, scale, eps):
  return x / np.sqrt(np.mean(x * x) + eps) * scale


def turned(x, position, base):
  half = len(x) // 2
  y = np.zeros_like(x)
  for i in range(half):
    angle = position * base ** (-i / half)
    y[i] = x[i] * np.cos(angle) - x[i + half] * np.sin(angle)
    y[i + half] = x[i + half] * np.cos(angle) + x[i] * np.sin(angle)
  return y


def logits(fields, params, tokens):
  """[T, V] of tokens [T], from the model's fields and parameters."""
  block = {name: {part: np.asarray(a, np.float64) for part, a in parts.items()}
           for name, parts in params['params']['block'].items()}
  embed, eps = np.asarray(params['params']['embed'], np.float64), fields['eps']
  head = embed if fields['tie'] else np.asarray(params['params']['head'], np.float64)
  shared = fields['heads'] // fields['kv_heads']
  x = [embed[token] for token in tokens]
  for layer in range(fields['layers']):
    of = lambda name, layer=layer: next(iter(block[name].values()))[layer]
    keys, values, attended = [], [], []
    for t in range(len(x)):
      h = norm(x[t], of('attention_norm'), eps)
      keys.append([turned(norm(w @ h, of('k_norm'), eps), t, fields['rope_base']) for w in of('k')])
      values.append([w @ h for w in of('v')])
      y = np.zeros_like(x[t])
      for head_number in range(fields['heads']):
        group = head_number // shared
        q = turned(norm(of('q')[head_number] @ h, of('q_norm'), eps), t, fields['rope_base'])
        seen = range(max(0, t - fields['context'] + 1), t + 1)
        score = np.array([q @ keys[s][group] / np.sqrt(len(q)) for s in seen])
        weight = np.exp(score - score.max())
        weight /= weight.sum()
        y += of('o')[:, head_number] @ sum(w * values[s][group] for w, s in zip(weight, seen))
      attended.append(x[t] + y)
    x = []
    for z in attended:
      h = norm(z, of('mlp_norm'), eps)
      gate = of('gate') @ h
      x.append(z + of('down') @ (gate / (1 + np.exp(-gate)) * (of('up') @ h)))
  return np.stack([head @ norm(z, np.asarray(params['params']['norm']['scale'], np.float64), eps) for z in x])
