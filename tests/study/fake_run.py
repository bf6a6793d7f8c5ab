"""A run folder as training leaves it, with numbers made up from a seed."""

import numpy as np

from latentmem.base import records

TEXT = '''def binary_search(items, wanted):
  """Returns the place of `wanted` in sorted `items`, or -1."""
  low, high = 0, len(items)
  while low < high:
    middle = (low + high) // 2
    if items[middle] < wanted:
      low = middle + 1
    else:
      high = middle
  return low if low < len(items) and items[low] == wanted else -1
'''
BINS = ('0-512', '512-1024', '1024-2048', '2048-4096', '4096-8192')


def config(layers=2):
  return dict(
      seed=0, model=dict(kind='decoder', vocab=256, width=128, layers=layers, compose=dict(kind='mag', window=64),
                         memory=dict(kind='titans', chunk=32)),
      data=dict(kind='corpus', corpus=dict(kind='stdlib')), train=dict(steps=600, rows=8, length=512))


def result():
  return dict(
      heldout=dict(bits_per_byte=2.2051, by_position=dict(zip(BINS, (2.41, 2.25, 2.2, 2.16, 2.13)))),
      parameters=1_234_567, state_bytes=4_456_448, tokens=2_457_600, seconds=312.4, tokens_per_s=7_866.2,
      flops=3.2e14, peak_memory_bytes=1_610_612_736, seed=0, skipped=0,
      versions=dict(python='3.11.7', jax='0.10.2'), commit='4660a74')


def passage(layers=2, text=TEXT):
  rng = np.random.default_rng(1)
  spiky = rng.gamma(1.2, 0.2, (layers, len(text))) * np.linspace(1, 0.5, len(text))
  return dict(tokens=list(text.encode()), pieces=list(text), surprise_before=spiky.tolist(),
              surprise_after=(spiky * 0.4).tolist())


def metrics(layers=2, heads=4, steps=600, every=5):
  """Lines of metrics.jsonl: (step, split, values)."""
  rng = np.random.default_rng(0)
  for step in range(every, steps + 1, every):
    bits = 2.2 + 5.8 * np.exp(-step / 40) + 0.12 * rng.normal()
    yield step, 'train', dict(
        loss=bits * np.log(2), bits=bits, grad_norm=0.4 + 3 * np.exp(-step / 30) + 0.1 * rng.gamma(1),
        learning_rate=2e-3, skipped=0, tokens=step * 4096, seconds=step * 0.5, tokens_per_s=8192.0)
    if step % 25 == 0:
      ramp, layer = np.exp(-step / 150), np.arange(layers)[:, None]
      noise = lambda scale: scale * rng.normal(size=(layers, heads))
      before = 0.45 - 0.2 * (1 - ramp) / (1 + layer) + noise(0.01)
      yield step, 'telemetry', dict(
          surprise_before=before, surprise_after=before * (0.35 + 0.3 * ramp) + noise(0.005),
          forget=0.01 + 0.01 * (1 - ramp) * (1 + layer) + noise(5e-4),
          momentum=0.9 - 0.2 * (1 - ramp) * layer / layers + noise(0.01),
          step_size=0.1 + 0.1 * (1 - ramp) + noise(0.004), norm_change=2 + 3 * (1 - ramp) + noise(0.1),
          norm_momentum=0.5 + 0.1 * layer + noise(0.02), nonfinite=0)
    if step % 200 == 0:
      yield step, 'heldout', dict(bits_per_byte=2.2 + 5.8 * np.exp(-step / 40) + 0.02, by_position={
          n: 2.45 - 0.08 * i + 60 / step for i, n in enumerate(BINS)})


def make(path, layers=2, text=TEXT, sample='def f(x):\n  return x < 1 & "a"\n', **sizes):
  """Writes the folder; returns its Run."""
  run = records.create(path, config(layers))
  for step, split, values in metrics(layers, **sizes):
    run.append(step, split, **values)
  run.write('result.json', result())
  run.write('passage.json', passage(layers, text))
  run.write('sample.txt', sample)
  return run
