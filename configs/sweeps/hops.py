"""Accuracy of questions of one to four hops as slots reason in 0 to 4 steps, three seeds each: 15 runs.

  python -m launch.sweep --sweep=configs/sweeps/hops.py --workdir=runs/hops --parallel=2

Each run's result.json has accuracy_1 to accuracy_4. R steps and the rewriting before them retrieve R + 1 times, so
what can be followed is R + 1 hops, and so it came (docs/results/hops.json). Two to four minutes a run on one core.
"""

from launch.sweeping import plans


def get_sweep() -> list[dict]:
  steps = [dict(config=f'configs/slots.py:steps={count}') for count in range(5)]
  return plans.crossed(steps, plans.grid({'seed': (0, 1, 2)}))
