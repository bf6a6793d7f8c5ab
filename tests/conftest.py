"""Eight fake devices, a cache for compiled programs, and float64 where a test asks for it.

What is said in the environment holds for the commands that tests start, too. Nearly all of a cold run is compiling
small programs that run once, so XLA is asked for few optimisations: it halves the time.
"""

import gc
import importlib.metadata
import os
import pathlib
import tempfile

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(pathlib.Path(tempfile.gettempdir()) / 'latentmem_test_cache'))
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.5')
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', 'true')
# Eight fake devices on few and busy cores may come late to where they meet; XLA aborts the process after 40 s. Where
# each may choose its own order among what is ready, one can wait in another collective than the rest, for ever.
os.environ['XLA_FLAGS'] = ' '.join((
    os.environ.get('XLA_FLAGS', ''), '--xla_cpu_collective_call_terminate_timeout_seconds=180',
    '--xla_cpu_collective_call_warn_stuck_timeout_seconds=90',
    '--xla_cpu_enable_concurrency_optimized_scheduler=false',
    # Every core has a worker: code that is generated in parts, side by side, is only more work.
    '--xla_cpu_parallel_codegen_split_count=1'))
# Two ways to generate code for a CPU: the older one, gone with 0.11, takes a third of the time.
if tuple(map(int, importlib.metadata.version('jaxlib').split('.')[:2])) < (0, 11):
  os.environ['XLA_FLAGS'] += ' --xla_cpu_use_fusion_emitters=false'

import jax
import pytest

# Tracing makes objects by the million and few cycles; as it comes, Python spends a sixth of its time looking for them.
gc.set_threshold(200_000, 50, 100)
jax.config.update('jax_num_cpu_devices', 8)


@pytest.fixture(autouse=True, scope='module')
def room_for_programs():
  """Every compiled program holds pieces of memory, of which Linux gives a process 65,530; past them it crashes."""
  yield
  pieces = pathlib.Path('/proc/self/maps')
  if pieces.exists() and pieces.read_bytes().count(b'\n') > 25_000:
    jax.clear_caches()
    gc.collect()


@pytest.fixture
def x64():
  """Float64 for the length of one test."""
  before = jax.config.jax_enable_x64
  jax.config.update('jax_enable_x64', True)
  yield
  jax.config.update('jax_enable_x64', before)
