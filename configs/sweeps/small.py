"""Bytes of Python at four sizes and three token budgets, with and without a memory: 24 runs, for launch.fit.

  python -m launch.sweep --sweep=configs/sweeps/small.py --workdir=runs/small --parallel=2
  python -m launch.fit --runs=runs/small --by=model.memory.kind --out=runs/small/fit
"""

from launch.sweeping import plans


def get_sweep() -> list[dict]:
  kinds = [dict(config=f'configs/quickstart.py:{kind}') for kind in ('none', 'titans')]
  sizes = plans.grid({'model.width': (32, 48, 64, 96)})
  budgets = plans.zipped({'train.steps': (100, 300, 900), 'train.warmup': (10, 30, 50)})
  return plans.crossed(kinds, sizes, budgets)
