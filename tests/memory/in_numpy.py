"""A memory with heads written as loops over tokens in numpy: what surrounds the cell.

Shares nothing with the library but the names of parameters. One sequence, one document.
"""

import functools

import jax
import numpy as np


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def unit(x):
  return x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + 1e-2)


def qkv(p, x_TD):
  """-> q, k, v [T, H, K], or q, every k, every v: projection, convolution over the last tokens, SiLU."""
  count = p['qkv'].shape[1]
  projected = [[np.tensordot(x_D, p['qkv'][:, i], axes=1) for i in range(count)] for x_D in x_TD]
  out = []
  for t in range(len(x_TD)):
    mixed = [sum(p['conv'][-1 - back][i] * projected[t - back][i] for back in range(len(p['conv'])) if t >= back)
             for i in range(count)] if 'conv' in p else projected[t]
    out.append([m * sigmoid(m) for m in mixed])
  return [np.stack([token[i] for token in out]) for i in range(count)]


def gate(p, name, x_TD):
  """-> sigmoid gate [T, H]."""
  return sigmoid(x_TD @ p[name] + p[f'{name}_bias'])


def answer(p, y_THK, x_TD):
  """-> [T, D]: norm of each head, gate from the token, output projection."""
  out = []
  for y_HK, x_D in zip(y_THK, x_TD):
    normal = y_HK / np.sqrt(np.mean(y_HK * y_HK, axis=-1, keepdims=True) + 1e-5)
    gated = normal * p['norm'] * sigmoid(np.tensordot(x_D, p['gate'], axes=1))
    out.append(sum(gated[h] @ p['out'][h] for h in range(len(gated))))
  return np.stack(out)


def setting(memory, kind, seed=0, length=11, batch=2, **fields):
  """A float64 memory (jitted `apply`), its first state, parameters away from their start, and tokens."""
  rng = np.random.default_rng(seed)
  cell = memory.make(kind, width=8, chunk=4, state_dtype='float64', **fields)
  shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), batch, 'float64', method='init_state'))
  params = jax.tree.map(lambda p: rng.normal(size=p.shape) * 0.5, shapes)
  read = jax.jit(functools.partial(cell.apply, params), static_argnames=('parallel', 'aligned'))
  start = cell.apply(params, batch, 'float64', method='init_state')
  return read, start, params['params'], rng.normal(size=(batch, length, 8))
