"""A run's folder: what every tool that comes after training reads.

config.json (every field), metrics.jsonl (one object a line), result.json, checkpoints/, report.html, figures/.
Files are written whole or not at all; metrics.jsonl grows by whole lines, and a torn last line is as good as none.
"""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import subprocess
from typing import BinaryIO

from latentmem.base.errors import InputError

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'grain', 'numpy')
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TAKEN = (errno.EACCES, errno.EAGAIN)


@contextlib.contextmanager
def full_disk_told(path):
  """Turns 'no space left' under `path` into an InputError that says what to do."""
  try:
    yield
  except InputError:
    raise
  except Exception as error:
    if not is_full_disk(error):
      raise
    raise InputError(
        f'There is no space left to write {path}. What was written before is whole; free some space '
        'and give the command again, with this --workdir: it goes on from the last checkpoint.') from error


def is_full_disk(error: BaseException | None) -> bool:
  """Whether an error, or one that it was raised from, says that the disk (or a quota) is full."""
  seen = set()
  while error is not None and id(error) not in seen:
    seen.add(id(error))
    if isinstance(error, OSError) and error.errno in FULL:
      return True
    if any(os.strerror(code) in str(error) for code in FULL):
      return True
    error = error.__cause__ or error.__context__
  return False


@contextlib.contextmanager
def held(folder: os.PathLike | str) -> Iterator[None]:
  """Keeps other processes from holding the folder, until it is left or the process ends in whatever way.

  Raises InputError where another one holds it. File systems that know no locks keep nobody out.
  """
  with open(pathlib.Path(folder) / '.lock', 'w') as file:
    try:
      fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      if error.errno in TAKEN:
        raise InputError(f'Another process is writing to {folder}. Wait until it has ended, or stop it; the same '
                         'command then goes on.') from None
    yield


@contextlib.contextmanager
def writing(path: os.PathLike | str) -> Iterator[BinaryIO]:
  """A file to write whole or not at all: beside it, to the disk, then renamed, unless the block raises.

  Raises InputError where the disk is full; the file that was there stays.
  """
  path = pathlib.Path(path)
  beside = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
  with full_disk_told(path):
    try:
      with open(beside, 'wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
      os.replace(beside, path)
    finally:
      beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_whole(path: os.PathLike | str, content: str | bytes) -> None:
  """Writes a file whole or not at all.

  Raises InputError where the disk is full; the file that was there stays.
  """
  with writing(path) as file:
    file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: os.PathLike | str, value) -> None:
  """Writes `value` whole, numbers that are not finite as null."""
  write_whole(path, json.dumps(plain(value), indent=2) + '\n')


def plain(value):
  """Arrays and numpy numbers to lists and numbers, non-finite numbers to None: what JSON can hold."""
  if isinstance(value, dict):
    return {str(k): plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(v) for v in value]
  if hasattr(value, 'tolist'):
    return plain(value.tolist())
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value


class Run:
  """One run's folder. `create` begins one, `read` opens one that is there."""

  def __init__(self, path: os.PathLike | str):
    self.path = pathlib.Path(path)
    self.checkpoints = self.path / 'checkpoints'
    self.figures = self.path / 'figures'

  @property
  def config(self) -> dict:
    return read_json(self.path / 'config.json')

  @property
  def result(self) -> dict | None:
    """Final scores and what they cost; None while the run has not ended."""
    path = self.path / 'result.json'
    return read_json(path) if path.exists() else None

  def metrics(self, split: str | None = None) -> list[dict]:
    """The measurements, in the order they were made; those of one split where it is named."""
    return [line for line in self._lines() if split in (None, line['split'])]

  def append(self, step: int, split: str, **values) -> None:
    """Adds one line to metrics.jsonl. Raises InputError where the disk is full, and leaves no half line."""
    line = (json.dumps(plain(dict(step=step, split=split) | values)) + '\n').encode()
    path = self.path / 'metrics.jsonl'
    with full_disk_told(path), open(path, 'ab', buffering=0) as file:
      before = os.fstat(file.fileno()).st_size
      try:
        if file.write(line) != len(line):
          raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
      except OSError:
        os.ftruncate(file.fileno(), before)
        raise

  def sync(self) -> None:
    """Brings metrics.jsonl to the disk, for a checkpoint that relies on it."""
    path = self.path / 'metrics.jsonl'
    if path.exists():
      with full_disk_told(path), open(path, 'rb') as file:
        os.fsync(file.fileno())

  def rewind(self, step: int) -> None:
    """Forgets what was measured after `step`, and a torn last line."""
    path = self.path / 'metrics.jsonl'
    if path.exists():
      kept = [line for line in self._lines() if line['step'] <= step]
      write_whole(path, ''.join(json.dumps(line) + '\n' for line in kept))

  def write(self, name: str, value) -> pathlib.Path:
    """Writes a file of the folder whole: text and bytes as they are, anything else as JSON."""
    path = self.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (write_whole if isinstance(value, (str, bytes)) else write_json)(path, value)
    return path

  def _lines(self) -> Iterator[dict]:
    path = self.path / 'metrics.jsonl'
    if not path.exists():
      return
    lines = path.read_bytes().split(b'\n')
    # What follows the last newline is a line that was never finished.
    for number, line in enumerate(lines[:-1], 1):
      try:
        found = json.loads(line)
      except ValueError as error:
        raise InputError(f'{path}, line {number} is not JSON: {line[:80]!r}.') from error
      if not isinstance(found, dict):
        raise InputError(f'{path}, line {number} is no measurement: {line[:80]!r}.')
      yield found


def create(path: os.PathLike | str, config: dict, filled=dict) -> Run:
  """Begins a run's folder, or opens it again for the same config.

  Args: filled: Gives the config of a folder the fields that it was written without, at their defaults: those that came
    with a later version.

  Raises InputError where the folder holds a run with another config (naming the fields that differ), or files
  that are no run, and where it cannot be written.
  """
  if '://' in os.fspath(path):
    raise InputError(f'{path} is no folder; a bucket has to be mounted (gcsfuse, s3fs), and its folder named.')
  run, config = Run(path), plain(config)
  if (run.path / 'config.json').exists():
    differing = list(differences(_as_now(run.config, filled), config))
    if differing:
      shown = '; '.join(f'{name}: {old} there, {new} asked for' for name, old, new in differing[:5])
      raise InputError(f'{run.path} holds a run with another config ({shown}). '
                       'Give another --workdir, or the config that is there.')
    return run
  if run.path.exists() and (not run.path.is_dir() or any(f for f in run.path.iterdir() if f.suffix != '.tmp')):
    raise InputError(f'{run.path} exists and is no run folder (it has no config.json). Give another --workdir.')
  try:
    with full_disk_told(run.path):
      run.path.mkdir(parents=True, exist_ok=True)
    run.write('config.json', config)
  except OSError as error:
    raise InputError(f'{run.path} cannot be written: {error.strerror}. Give another --workdir.') from error
  return run


def _as_now(config: dict, filled) -> dict:
  """A folder's config with the fields of this version; as it is where it has one that this version has not."""
  try:
    return plain(filled(config))
  except (InputError, KeyError, TypeError):
    return config


def read(path: os.PathLike | str) -> Run:
  """Opens a run's folder. Raises InputError where there is none."""
  run = Run(path)
  if not run.path.is_dir():
    near = sorted(str(p.parent) for p in run.path.parent.glob('*/config.json')) if run.path.parent.is_dir() else []
    raise InputError(f'There is no folder {run.path}' + (f'; beside it there are {near[:10]}.' if near else '.'))
  if not (run.path / 'config.json').exists():
    raise InputError(f'{run.path} is no run folder: it has no config.json.')
  return run


def differences(old, new, prefix: str = '') -> Iterator[tuple[str, object, object]]:
  """(name, old, new) of the fields in which two configs differ; 'absent' where one has none."""
  if isinstance(old, dict) and isinstance(new, dict):
    for key in sorted(old.keys() | new.keys()):
      yield from differences(old.get(key, 'absent'), new.get(key, 'absent'), f'{prefix}.{key}' if prefix else key)
  elif old != new:
    yield prefix, old, new


def versions() -> dict:
  """The versions of Python and of the packages that numbers depend on."""
  found = dict(python=platform.python_version())
  for name in PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[name] = importlib.metadata.version(name)
  return found


def commit() -> str | None:
  """The git commit of this package's checkout, '+' where files differ from it; None outside a checkout."""
  git = ['git', '-C', str(pathlib.Path(__file__).parent)]
  try:
    run = lambda *args: subprocess.run([*git, *args], capture_output=True, text=True, check=True, timeout=10).stdout
    # A package installed into an environment inside another project's checkout is not of that commit.
    run('ls-files', '--error-unmatch', __file__)
    return run('rev-parse', 'HEAD').strip() + ('+' if run('status', '--porcelain', '-uno').strip() else '')
  except (OSError, subprocess.SubprocessError):
    return None


def machine(devices) -> dict:
  """What the run ran on. `devices` from `jax.devices()`."""
  return dict(system=platform.platform(), processor=_processor(), cores=os.cpu_count(), device=devices[0].device_kind,
              platform=devices[0].platform, devices=len(devices))


def _processor() -> str:
  with contextlib.suppress(OSError):
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
      if line.startswith('model name'):
        return line.split(':', 1)[1].strip()
  return platform.processor() or platform.machine()


def read_json(path: pathlib.Path):
  """A JSON file. Raises InputError where it is missing or broken."""
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    raise InputError(f'{path.parent} is no run folder: it has no {path.name}.') from None
  except ValueError as error:
    raise InputError(f'{path} is not JSON ({error}).') from error


def sync_folder(path: pathlib.Path) -> None:
  """Brings a folder's names to the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
