"""One run as several processes, a host each or a few: who they are, and what is said when one of them is gone."""

import contextlib
import os
import sys
import traceback

from absl import flags
import jax

from latentmem.base.errors import InputError

_DISTRIBUTED = flags.DEFINE_enum(
    'distributed', 'auto', ['auto', 'yes', 'no'],
    'Whether this is one process of several. auto: where SLURM, Open MPI or GKE say so; yes: as JAX finds out, which '
    'Cloud TPU VMs need.')
_COORDINATOR = flags.DEFINE_string('coordinator', None, 'HOST:PORT of the first process, where nothing else tells it.')
_PROCESSES = flags.DEFINE_integer('processes', None, 'How many there are; with --coordinator.')
_PROCESS = flags.DEFINE_integer('process', None, 'Which one this is, from 0; with --coordinator.')

# Seconds without a sign of life after which a process counts as gone, and the others end.
HEARTBEAT = 30


@contextlib.contextmanager
def together():
  """Joins the other processes, where there are any; an error in one ends it, and thereby all, at once.

  Without that it would wait for the others when it leaves, and they for its part of the next step.
  Raises InputError for flags that do not say all.
  """
  _join()
  try:
    yield
  except Exception as error:
    if not jax.distributed.is_initialized():
      raise
    print(_told(error), file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(2 if isinstance(error, InputError) else 1)


def _told(error: Exception) -> str:
  which = f'process {jax.process_index()} of {jax.process_count()}'
  if isinstance(error, InputError):
    return f'error: {which}: {error}'
  if isinstance(error, jax.errors.JaxRuntimeError):
    return (f'error: {which} could not go on: {str(error).splitlines()[0]}\nWhere another process is gone, the same '
            'command goes on from the last checkpoint.')
  return ''.join(traceback.format_exception(error)) + f'error: {which} failed.'


def _join() -> None:
  by_hand = dict(coordinator=_COORDINATOR.value, processes=_PROCESSES.value, process=_PROCESS.value)
  missing = [f'--{name}' for name, value in by_hand.items() if value is None]
  if len(missing) == 3:
    if _DISTRIBUTED.value == 'yes' or _DISTRIBUTED.value == 'auto' and several(os.environ):
      try:
        jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT)
      except ValueError as error:
        raise InputError(f'JAX finds no other processes ({error}); --coordinator, --processes and --process tell it '
                         'of them.') from error
    return
  if _DISTRIBUTED.value == 'no':
    raise InputError('--distributed=no and --coordinator, --processes, --process say two things.')
  if missing:
    raise InputError(f'Processes that are started by hand need --coordinator, --processes and --process; '
                     f'{" and ".join(missing)} is missing.')
  if not 0 <= by_hand['process'] < by_hand['processes']:
    raise InputError(f'--process={by_hand["process"]} is none of {by_hand["processes"]} processes; they count from 0.')
  jax.distributed.initialize(*by_hand.values(), heartbeat_timeout_seconds=HEARTBEAT)


def several(environ) -> bool:
  """Whether the environment is that of one process of several."""
  tasks = ('SLURM_STEP_NUM_TASKS', 'OMPI_COMM_WORLD_SIZE')
  hosts = environ.get('TPU_WORKER_HOSTNAMES', '')
  return any(environ.get(name, '1') not in ('', '1') for name in tasks) or ',' in hosts
