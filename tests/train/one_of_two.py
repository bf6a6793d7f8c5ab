"""One process of two that train together: python one_of_two.py WORKDIR PORT PROCESS LEAVE."""

import sys

import jax

jax.config.update('jax_num_cpu_devices', 2)
workdir, port, process, leave = sys.argv[1], *map(int, sys.argv[2:])
jax.distributed.initialize(f'localhost:{port}', 2, process)

from tests.train import small  # noqa: E402

run, trained = small.run(workdir, small.config(mesh=4), leave=leave)
print(trained.done, int(trained.state.step))
