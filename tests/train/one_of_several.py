"""One of several processes that train together: PORT PROCESS PROCESSES DEVICES LEAVE MESH SEQUENCE
after the WORKDIR."""

import sys

import jax

workdir, port, process, processes, devices, leave, mesh, sequence = sys.argv[1], *map(int, sys.argv[2:])
jax.config.update('jax_num_cpu_devices', devices)
jax.distributed.initialize(f'localhost:{port}', processes, process)

from tests.train import small  # noqa: E402

run, trained = small.run(workdir, small.config(mesh=mesh, sequence=sequence), leave=leave)
print(trained.done, int(trained.state.step))
