"""One memory layer, measured in a process of its own; prints one line of JSON.

  python -m launch.benchmarks.layer '{"who": "latentmem", "what": "train", "length": 4096, "chunk": 64, ...}'

Fields: who ('latentmem', 'titans-pytorch', or 'titans-pytorch, writing whole chunks'), what ('forward', 'train',
'decode' or 'matmul'), batch, length, chunk, heads, head_width, depth, dtype, repeats. Seconds are the least of
`repeats`; memory is the process's highest.
"""

import json
import os
import sys
import time

from latentmem.train import meter


def best(run, repeats: int) -> list[float]:
  """Seconds of each of `repeats` calls, after one that is not counted."""
  run()
  seconds = []
  for _ in range(repeats):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
  return seconds


def by_turns(calls: dict, repeats: int) -> dict[str, list[float]]:
  """Seconds of each call by its name; the calls take turns, so that what else the machine does meets all of them."""
  import jax
  seconds = {name: [] for name in calls}
  for _ in range(repeats):
    for name, call in calls.items():
      seconds[name] += best(lambda call=call: jax.block_until_ready(call()), 1)
  return seconds


def matmul(spec: dict) -> dict:
  """The machine's own rate: one large product, all cores."""
  import jax
  import jax.numpy as jnp
  size = spec.get('size', 2048)
  a = jax.random.normal(jax.random.key(0), (size, size), spec['dtype'])
  product = jax.jit(jnp.dot)
  seconds = best(lambda: product(a, a).block_until_ready(), 5 * spec['repeats'])
  return dict(seconds=seconds, flops=2 * size**3)


def ours(spec: dict) -> dict:
  """A Titans layer of this library, rows shared among the devices."""
  import jax
  if jax.default_backend() == 'cpu':
    # A persistent cache keeps the compiler's own memory out of the peak; its first run is the caller's affair.
    jax.config.update('jax_compilation_cache_dir', spec['cache'])
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
  import jax.numpy as jnp

  from latentmem import memory
  from latentmem.base import flops

  batch, width = spec['batch'], spec['heads'] * spec['head_width']
  layer = memory.make('titans', width=width, heads=spec['heads'], head_width=spec['head_width'], depth=spec['depth'],
                      chunk=spec['chunk'])
  decode = spec['what'] == 'decode'
  devices = jax.devices()[:1] if decode or batch % len(jax.devices()) else jax.devices()
  mesh = jax.make_mesh((len(devices),), ('rows',), axis_types=(jax.sharding.AxisType.Auto,), devices=devices)
  rows = jax.NamedSharding(mesh, jax.P('rows'))
  everywhere = jax.NamedSharding(mesh, jax.P())
  length = 1 if decode else spec['length']
  x_BTD = jax.device_put(jax.random.normal(jax.random.key(0), (batch, length, width), spec['dtype']), rows)
  start = lambda layer: layer.init_state(batch, spec['dtype'])
  params = jax.jit(lambda key: layer.init(key, method=start), out_shardings=everywhere)(jax.random.key(1))
  baseline = meter.peak_memory()['host']

  def forward(params, x_BTD):
    state = layer.apply(params, method=start)
    return layer.apply(params, state, x_BTD, aligned=True)[1]

  if decode:
    step = jax.jit(lambda params, state, x_BTD: layer.apply(params, state, x_BTD), donate_argnums=1)
    state = jax.tree.map(jnp.copy, jax.jit(lambda params: layer.apply(params, method=start))(params))

    def run():
      nonlocal state
      for _ in range(spec['tokens']):
        state, y = step(params, state, x_BTD)
      y.block_until_ready()
    seconds = [s / spec['tokens'] for s in best(run, spec['repeats'])]
    return dict(seconds=seconds, baseline=baseline)
  loss = lambda params, x_BTD: jnp.sum(forward(params, x_BTD).astype('float32'))
  f = forward if spec['what'] == 'forward' else jax.grad(loss, (0, 1))
  compiled = jax.jit(f)
  seconds = best(lambda: jax.block_until_ready(compiled(params, x_BTD)), spec['repeats'])
  return dict(seconds=seconds, flops=flops.count(f, params, x_BTD), devices=len(devices), baseline=baseline)


def titans_pytorch(spec: dict) -> dict:
  """The same layer of titans-pytorch: gradients at the same weights (its batch_size is our chunk).

  Its chunk_size is how many tokens wait to be written together. Decoding, 1 writes every token as we do.
  """
  from titans_pytorch import MemoryMLP, NeuralMemory
  import torch
  torch.manual_seed(0)
  every_token = spec['what'] == 'decode' and spec['who'] == 'titans-pytorch'
  layer = NeuralMemory(dim=spec['heads'] * spec['head_width'], chunk_size=1 if every_token else spec['chunk'],
                       batch_size=spec['chunk'],
                       dim_head=spec['head_width'], heads=spec['heads'],
                       model=MemoryMLP(spec['head_width'], spec['depth'], expansion_factor=4.0))
  x_BTD = torch.randn(spec['batch'], spec['length'], spec['heads'] * spec['head_width'], requires_grad=True)
  baseline = meter.peak_memory()['host']
  if spec['what'] == 'train':
    def run():
      layer.zero_grad()
      layer(x_BTD)[0].sum().backward()
    return dict(seconds=best(run, spec['repeats']), baseline=baseline)
  with torch.no_grad():
    if spec['what'] == 'forward':
      return dict(seconds=best(lambda: layer(x_BTD), spec['repeats']), baseline=baseline)
    state = layer(x_BTD[:, :spec['chunk']])[1]

    def decode():
      nonlocal state
      for t in range(spec['tokens']):
        _, state = layer(x_BTD[:, t:t + 1], state=state)
    seconds = [s / spec['tokens'] for s in best(decode, spec['repeats'])]
    return dict(seconds=seconds, baseline=baseline)


def main():
  spec = json.loads(sys.argv[1])
  if spec['who'].startswith('titans-pytorch'):
    measured = titans_pytorch(spec) | dict(platform='cpu')
  else:
    cores = f'--xla_force_host_platform_device_count={spec["cores"]}'
    os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} {cores}'
    import jax
    measured = matmul(spec) if spec['what'] == 'matmul' else ours(spec)
    measured['platform'] = jax.default_backend()
  print(json.dumps(measured | dict(peak=meter.peak_memory())))


if __name__ == '__main__':
  main()
