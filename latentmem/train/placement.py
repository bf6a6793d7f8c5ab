"""Which device holds what: rows over the mesh's axes for them, all else by the model's layout.

B rows.
"""

from collections.abc import Callable
import functools

import jax
from jax.sharding import NamedSharding, PartitionSpec
import numpy as np
import optax

from latentmem.base import sharding
from latentmem.base.errors import InputError
from latentmem.train.state import batch_axes, fresh_carry, TrainState


def whole(tree):
  """Arrays that lie in pieces on any number of devices, whole on this process's first; all processes have to ask."""
  if jax.process_count() > 1:
    from jax.experimental import multihost_utils
    tree = multihost_utils.process_allgather(tree, tiled=True)
  return jax.device_put(tree, jax.local_devices()[0])


def agreed(decide: Callable[[], int]) -> int:
  """What the first process decides, in all of them; all processes have to ask."""
  number = decide() if jax.process_index() == 0 else 0
  if jax.process_count() > 1:
    from jax.experimental import multihost_utils
    number = int(multihost_utils.broadcast_one_to_all(np.int32(number)))
  return number


def meet(where: str) -> None:
  """Waits until all processes are at the place of this name."""
  if jax.process_count() > 1:
    from jax.experimental import multihost_utils
    multihost_utils.sync_global_devices(where)


class Placement:
  """Shardings for batches, carries and train states on one mesh of `base.sharding`.

  Attributes:
    tokens: Of an array [B, T].
    everywhere: Of what every device has whole.
  """

  def __init__(self, mesh: jax.sharding.Mesh):
    self.mesh = mesh
    self.tokens = NamedSharding(mesh, PartitionSpec(sharding.ROWS, sharding.SEQUENCE))
    self.everywhere = NamedSharding(mesh, PartitionSpec())

  def context(self):
    """What models are traced in, so that they know of the mesh."""
    return jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh)

  def check(self, rows: int, length: int) -> None:
    """Raises InputError where rows of so many tokens cannot be shared out."""
    parts, pieces = sharding.sharing(self.mesh), self.mesh.shape[sharding.SEQUENCE]
    if length % pieces:
      raise InputError(f'length={length} cannot be cut into {pieces} pieces; mesh.sequence must divide it.')
    if rows % parts:
      raise InputError(f'rows={rows} cannot be shared by {parts} devices; rows must be a multiple of {parts}, or '
                       f'mesh.data x mesh.fsdp a divisor of rows.')

  def share(self) -> tuple[int, int]:
    """Which of how many equal shares of the rows this process reads; those that hold the same rows read the same."""
    held = self._held(jax.process_index())
    return held[0] // len(held), sharding.sharing(self.mesh) // len(held)

  def speaks(self) -> bool:
    """Whether this process is the first of those that hold its rows, which is the one that tells of them."""
    me = jax.process_index()
    return all(self._held(other) != self._held(me) for other in range(me))

  def _held(self, process: int) -> list[int]:
    rows = self.mesh.devices.reshape(sharding.sharing(self.mesh), -1)
    return [i for i, devices in enumerate(rows) if any(device.process_index == process for device in devices)]

  @functools.cached_property
  def _shares(self) -> int:
    return self.share()[1]

  def batch(self, batch: dict) -> dict:
    """A process's numpy rows as global arrays. Where others hold parts of the same rows, each gives them whole."""
    whole = lambda x: (self._shares * x.shape[0], *x.shape[1:])
    put = lambda x: jax.make_array_from_process_local_data(self.tokens, x, whole(x))
    return {name: put(x) for name, x in batch.items()}

  def local(self, x_BT: jax.Array) -> np.ndarray:
    """This process's rows of a global array, each of them whole; all processes have to ask."""
    if x_BT.is_fully_addressable:
      return np.asarray(x_BT)
    x_BT = jax.device_put(x_BT, NamedSharding(self.mesh, PartitionSpec(sharding.ROWS)))
    pieces = {shard.index[0].start or 0: np.asarray(shard.data) for shard in x_BT.addressable_shards}
    return np.concatenate([pieces[row] for row in sorted(pieces)])

  def of_params(self, model, params):
    """Shardings of parameters (or of their shapes), by the model's layout."""
    return dict(params=sharding.shardings(params['params'], model.layout, self.mesh))

  def of_carry(self, model, params, rows: int):
    """Shardings of a carry: its rows, and its heads where the layout names them."""
    shapes = jax.eval_shape(lambda p: fresh_carry(model, p, rows), params)
    return sharding.carried(shapes, model.layout, self.mesh, batch_axes(model, params))

  def of_state(self, model, optimizer, state: TrainState, rows: int, frozen: dict) -> TrainState:
    """Shardings of a train state (or of its shapes); what the optimizer holds of a parameter lies where it does."""
    params = self.of_params(model, state.params)
    held = optax.tree_utils.tree_map_params(optimizer, lambda _, where: where, state.opt_state, params,
                                            transform_non_params=lambda _: self.everywhere)
    rest = jax.tree.map(lambda _: self.everywhere, state)
    return rest._replace(params=params, opt_state=held, carry=self.of_carry(model, state.params | frozen, rows))
