"""One of several processes that train together: PORT PROCESS PROCESSES DEVICES LEAVE MESH SEQUENCE
ENOUGH after the WORKDIR."""

import sys

import jax

workdir, port, process, processes, devices, leave, mesh, sequence = sys.argv[1], *map(int, sys.argv[2:-1])
jax.config.update('jax_num_cpu_devices', devices)
jax.distributed.initialize(f'localhost:{port}', processes, process)

from tests.train import small  # noqa: E402

enough = float(sys.argv[-1])
config = small.config(mesh=mesh, sequence=sequence, enough=enough, evaluate_every=1 if enough else 6)
run, trained = small.run(workdir, config, leave=leave)
print(trained.done, int(trained.state.step))
