"""Checkpoints: Orbax writes them behind training's back, whole or not at all; a sealed list of checksums tells a
damaged one from a good one, which Orbax does not.

    checkpoints/<step>/state          what Orbax writes: the train state; its step is the position in the data too
    checkpoints/<step>/sha256.json    written after Orbax has committed; a step without it was never finished
    damaged/<step>                    steps whose files no longer have their checksums, put aside
"""

from collections.abc import Callable
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import sys

import jax
import jax.numpy as jnp

from latentmem.base import arrays, records
from latentmem.base.errors import InputError
from latentmem.train.placement import agreed

SEAL = 'sha256.json'
UNSEALED = f'it has no {SEAL}'
# In place of a step: there is none, or none that is good.
NONE, DAMAGED = -1, -2


def tell(text: str) -> None:
  """Says something to the person at the terminal."""
  print(text, file=sys.stderr, flush=True)


class Checkpoints:
  """The checkpoints of one run. Use as a context: leaving it waits for what is still being written."""

  def __init__(self, run: records.Run, keep: int = 2, keep_every: int = 0):
    """Keeps the last `keep`, and those at multiples of `keep_every`."""
    self.run, self.folder = run, run.checkpoints
    self._pending = None
    self._thread = concurrent.futures.ThreadPoolExecutor(1, 'checkpoint')
    self._orbax = None
    self._keep, self._keep_every = keep, keep_every

  def __enter__(self):
    return self

  def __exit__(self, kind, *_):
    try:
      self.wait()
    except Exception:
      # The error that is already on its way is the one to tell.
      if kind is None:
        raise
    finally:
      self._thread.shutdown()
      if self._orbax is not None:
        # Orbax tells the error of a write again.
        with contextlib.suppress(Exception):
          self._orbax.close()

  def save(self, step: int, state) -> None:
    """Begins to write a step and returns once the arrays are copied.

    Raises InputError where the disk is full, also for the step before.
    """
    self.wait()
    with records.full_disk_told(self.folder / str(step)):
      response = self._open().save_checkpointables_async(step, dict(state=without_empty(state)))
    self._pending = self._thread.submit(self._finish, step, response)

  def wait(self) -> None:
    """Returns once what was begun is on the disk and sealed."""
    pending, self._pending = self._pending, None
    if pending is not None:
      with records.full_disk_told(self.folder):
        pending.result()

  def restore(self, state, report: Callable[[str], None] = tell):
    """The latest good step -> its state, or None where training has to start from the beginning.

    Args:
      state: Its shapes, dtypes and shardings.
      report: Told in words about every step that is passed over.

    Raises InputError where all checkpoints are damaged, or where the latest good one does not fit `state`.
    """
    step = agreed(lambda: self._clear(report))
    if step == DAMAGED:
      found = '; '.join(f'{self.folder / str(s)}: {problem(self.folder / str(s))}' for s in steps_in(self.folder))
      raise InputError(f'Every checkpoint is damaged: {found}. Remove {self.folder} to start from the beginning, or '
                       'give another --workdir.')
    if step == NONE:
      return None
    fits(self.folder / str(step), state.params)
    loaded = self._open().load_checkpointables(step, dict(state=without_empty(state)))['state']
    return jax.tree.map(lambda x, s: x if s.size else jnp.zeros(s.shape, s.dtype, device=s.sharding), loaded, state)

  def _clear(self, report) -> int:
    """The latest good step, what came after it being put out of the way; NONE, or DAMAGED where all are."""
    damaged = []
    for step in reversed(steps_in(self.folder)):
      path = self.folder / str(step)
      trouble = problem(path)
      if trouble is None:
        for each in damaged:
          put_aside(each, self.run.path / 'damaged')
        return step
      if trouble == UNSEALED:
        report(f'Checkpoint {path} was not finished; it is removed.')
        shutil.rmtree(path)
      else:
        report(f'Checkpoint {path} is damaged ({trouble}); going back to the one before. It is kept in '
               f'{self.run.path / "damaged"}.')
        damaged.append(path)
    return DAMAGED if damaged else NONE

  def _open(self):
    if self._orbax is None:
      from orbax.checkpoint import v1 as ocp
      keep = ocp.training.preservation_policies
      policies = [keep.LatestN(self._keep)] + ([keep.EveryNSteps(self._keep_every)] if self._keep_every else [])
      self._orbax = ocp.training.Checkpointer(
          self.folder.absolute(), save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
          preservation_policy=keep.AnyPreservationPolicy(policies), cleanup_tmp_directories=True)
    return self._orbax

  def _finish(self, step, response):
    response.result()
    if jax.process_index() == 0:
      seal(self.folder / str(step))


def without_empty(tree):
  """Arrays of no numbers, which Orbax cannot write, as 0."""
  return jax.tree.map(lambda x: x if x.size else 0, tree)


def steps_in(folder: pathlib.Path) -> list[int]:
  """Steps that have been committed in a folder of checkpoints, in order."""
  if not folder.is_dir():
    return []
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit() and p.is_dir())


def seal(path: pathlib.Path) -> None:
  """Writes the checksums of every file of a step."""
  files = [p for p in sorted(path.rglob('*')) if p.is_file() and p.name != SEAL]
  for each in files:
    _to_disk(each)
  records.write_json(path / SEAL, {str(p.relative_to(path)): checksum(p) for p in files})


def problem(path: pathlib.Path) -> str | None:
  """What is wrong with a step's files; None where every one has the checksum it was sealed with."""
  if not (path / SEAL).exists():
    return UNSEALED
  try:
    sums = json.loads((path / SEAL).read_text())
    for name, (size, digest) in sums.items():
      if not (path / name).exists():
        return f'{name} is missing'
      found = checksum(path / name)
      if found != [size, digest]:
        return f'{name} has {found[0]} bytes, not {size}' if found[0] != size else f'{name} has another checksum'
  except (ValueError, TypeError, AttributeError):
    return f'{SEAL} cannot be read'
  return None


def checksum(path: pathlib.Path) -> list:
  """[bytes, sha256] of a file."""
  with open(path, 'rb') as file:
    digest = hashlib.file_digest(file, 'sha256').hexdigest()
  return [path.stat().st_size, digest]


def put_aside(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Moves a step into `folder`, under a name that is free."""
  folder.mkdir(exist_ok=True)
  name, number = path.name, 1
  while (folder / name).exists():
    name, number = f'{path.name}.{number}', number + 1
  os.replace(path, folder / name)


def fits(path: pathlib.Path, params) -> None:
  """Raises InputError where a step's parameters have other names or shapes than `params`."""
  found, wanted = _shapes(_saved(path)), _shapes(params)
  shown = lambda shapes, name: str(shapes[name]) if name in shapes else 'none'
  wrong = [f'{name} is {shown(found, name)} there, {shown(wanted, name)} wanted'
           for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)]
  if wrong:
    more = f', and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    raise InputError(f'{path} does not fit the model: {"; ".join(wrong[:3])}{more}. The config that it was '
                     f'trained with is {path.parent.parent / "config.json"}.')


def good_step(run: records.Run, step: int | None = None, report: Callable[[str], None] = tell) -> int:
  """`step`, or the latest step whose files are as they were written; those passed over are reported.

  Raises InputError where there is none, and where the one that was asked for is damaged.
  """
  steps = steps_in(run.checkpoints)
  if not steps or (step is not None and step not in steps):
    raise InputError(f'{run.checkpoints} has no checkpoint' + (f' of step {step}; it has {steps}.' if steps else '.'))
  for each in reversed(steps) if step is None else [step]:
    trouble = problem(run.checkpoints / str(each))
    if trouble is None:
      return each
    if step is None:
      report(f'Checkpoint {run.checkpoints / str(each)} is damaged ({trouble}); going back to the one before.')
  what = f'Checkpoint {run.checkpoints / str(step)} is' if step is not None else (
      f'All checkpoints of {run.checkpoints} are')
  raise InputError(f'{what} damaged: {trouble}.')


def load_params(workdir: os.PathLike | str, step: int | None = None, want=None):
  """(config, params) of a run, at `step` or at its latest good checkpoint.

  Args:
    workdir: A run's folder.
    step: Which checkpoint; None for the latest.
    want: Shapes that the parameters must have, as a tree like them; None for any.

  Raises InputError where there is no such run or checkpoint, where it is damaged, or does not fit `want`.
  """
  run = records.read(workdir)
  path = run.checkpoints / str(good_step(run, step))
  if want is not None:
    fits(path, want)
  return run.config, _load_params(path)


def _saved(path: pathlib.Path):
  """Shapes and dtypes of the parameters in a step."""
  from orbax.checkpoint import v1 as ocp
  return ocp.metadata(path.absolute(), 'state').metadata['params']


def _shapes(tree) -> dict[str, tuple[int, ...]]:
  return {name.removeprefix('params/'): tuple(leaf.shape) for name, leaf in arrays.named(tree).items()}


def _load_params(path: pathlib.Path):
  """The parameters of a step alone, on the first device."""
  from orbax.checkpoint import v1 as ocp
  here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  shapes = jax.tree.map(lambda m: jax.ShapeDtypeStruct(m.shape, m.dtype, sharding=here), _saved(path))
  context = ocp.Context()
  context.pytree.loading.partial_load = True
  with context:
    return ocp.load_checkpointables(path.absolute(), dict(state=dict(params=shapes)))['state']['params']


def _to_disk(path: pathlib.Path) -> None:
  with open(path, 'rb') as file:
    os.fsync(file.fileno())
