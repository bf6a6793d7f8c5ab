"""The real training step of a config, compiled for machines that are not there, and what it would need on them."""

import os
import re
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import model, train
from latentmem.base import sharding
from latentmem.base.errors import InputError
from latentmem.train.placement import Placement
from latentmem.train.program import Program
from launch.planning import chips, hlo

# Fields of a batch and their types, all [B, T].
BATCH = dict(tokens_BT=jnp.int32, targets_BT=jnp.int32, weights_BT=jnp.float32, reset_BT=jnp.bool_,
             position_BT=jnp.int32)
# The compiler would look for a TPU, tell at length that there is none, and let no other process compile beside it.
COMPILE_ONLY = dict(TPU_SKIP_MDS_QUERY='1', TPU_ACCELERATOR_TYPE='v5litepod-4', TPU_WORKER_HOSTNAMES='localhost',
                    ALLOW_MULTIPLE_LIBTPU_LOAD='1')
UNITS = dict(K=2**10, M=2**20, G=2**30, T=2**40)


class Choice(NamedTuple):
  """What may be varied: sizes of the mesh, what the backward pass computes again, rows of a batch."""

  data: int
  fsdp: int
  tensor: int
  sequence: int
  remat: str
  rows: int

  def __str__(self):
    sequence = f' sequence={self.sequence}' if self.sequence > 1 else ''
    return f'data={self.data} fsdp={self.fsdp} tensor={self.tensor}{sequence} remat={self.remat} rows={self.rows}'


class Plan(NamedTuple):
  """One choice, compiled.

  Attributes:
    choice: Which.
    fits: Whether a device has room.
    held: Bytes of a device by what they are for.
    flops: Operations of a step, over all devices.
    moved: Bytes that leave a device, by collective.
    seconds: Of a step at the device's rates, for 'compute', 'memory' and 'links'; empty where it does not fit.
    compiled: Seconds that compiling took.
  """

  choice: Choice
  fits: bool
  held: dict[str, int]
  flops: int
  moved: dict[str, float]
  seconds: dict[str, float]
  compiled: float

  @property
  def step(self) -> float:
    """Seconds of a step, where all three go on side by side."""
    return max(self.seconds.values())

  @property
  def share(self) -> float:
    """Of the device's highest rate of operations."""
    return self.seconds['compute'] / self.step


def devices_of(topology: chips.Topology) -> list:
  """The devices of a topology, which can be compiled for. Raises InputError where this machine has no compiler."""
  for name, value in COMPILE_ONLY.items():
    os.environ.setdefault(name, value)
  from jax.experimental import topologies
  if topology.chip.platform != 'tpu':
    raise InputError(f'{topology.name} cannot be compiled for without a GPU; TPU topologies can. Examples: '
                     f'{chips.EXAMPLES}.')
  try:
    return list(topologies.get_topology_desc(f'{topology.kind}:{"x".join(map(str, topology.shape))}', 'tpu').devices)
  except Exception as error:
    raise InputError(f"planning for {topology.name} needs the TPU compiler (pip install -e '.[plan]') and a topology "
                     f'that it knows: {str(error).splitlines()[0]}') from error


def plan(config: dict, topology: chips.Topology, devices: list, choice: Choice) -> Plan:
  """Compiles one choice. `config` is whole: every field is there, and the model's vocabulary is not 0."""
  begun = time.monotonic()
  mesh = sharding.make_mesh(choice.data, choice.fsdp, choice.tensor, choice.sequence, devices)
  settings = train.build(train.Train, config['train'] | dict(rows=choice.rows))
  program = Program(model.make(**config['model'] | dict(remat=choice.remat)), settings, Placement(mesh))
  batch = {name: jax.ShapeDtypeStruct((choice.rows, settings.length), dtype, sharding=program.place.tokens)
           for name, dtype in BATCH.items()}
  held = dict(parameters=on_device(program.shapes.params), optimizer=on_device(program.shapes.opt_state),
              memories=on_device(program.shapes.carry), batch=on_device(batch))
  flops = program.flops(batch)
  try:
    compiled = program.lowered(batch, topology.chip.platform).compile()
  except jax.errors.JaxRuntimeError as error:
    held['activations'] = over_limit(str(error), sum(held.values()))
    if held['activations'] is None:
      raise
    return Plan(choice, False, held, flops, {}, {}, time.monotonic() - begun)
  held |= dict(activations=compiled.memory_analysis().temp_size_in_bytes,
               program=compiled.memory_analysis().generated_code_size_in_bytes)
  found = hlo.traffic(compiled.as_text(), mesh.size)
  chip = topology.chip
  seconds = dict(compute=flops / mesh.size / chip.flops, memory=found.memory / chip.bandwidth,
                 links=sum(found.moved.values()) / chip.link)
  return Plan(choice, sum(held.values()) <= chip.memory, held, flops, found.moved, seconds, time.monotonic() - begun)


def on_device(tree) -> int:
  """Bytes of a tree of shapes with shardings on one device."""
  return sum(int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * jnp.dtype(leaf.dtype).itemsize
             for leaf in jax.tree.leaves(tree))


def over_limit(message: str, held: int) -> int | None:
  """Bytes of activations, where a compiler said that there is no room for them; None where it said something else."""
  for pattern, less in ((r'HLO temporaries \(([\d.]+)([KMGT])\)', 0), (r'Used ([\d.]+)([KMGT]) of', held)):
    if found := re.search(pattern, message):
      return max(0, int(float(found[1]) * UNITS[found[2]]) - less)
  return None
