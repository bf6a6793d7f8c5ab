"""Commands as processes of their own, forked from one that has imported what they all import."""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

import jax

ROOT = pathlib.Path(__file__).parents[2]
FORKS = multiprocessing.get_context('forkserver')
FORKS.set_forkserver_preload([
    'launch.comparing', 'launch.parts', 'latentmem.session.session', 'latentmem.study.figures',
    'ml_collections.config_flags', 'optax', __name__])


def launch(name: str, *args: str, lines: str = '') -> subprocess.CompletedProcess:
  """What `python -m launch.NAME ARGS` says and leaves with, where `lines` are typed."""
  with tempfile.TemporaryDirectory() as folder:
    typed, out, err = files = [pathlib.Path(folder) / each for each in ('in', 'out', 'err')]
    typed.write_text(lines)
    process = FORKS.Process(target=_become, args=(name, args, files))
    process.start()
    process.join()
    return subprocess.CompletedProcess(args, process.exitcode, out.read_bytes().decode(), err.read_bytes().decode())


def _become(name, args, files):
  for number, (file, how) in enumerate(zip(files, ('rb', 'wb', 'wb'))):
    with open(file, how) as opened:
      os.dup2(opened.fileno(), number)
  sys.stdin = open(0, closefd=False)
  sys.argv[1:] = args
  os.chdir(ROOT)
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)
  runpy.run_module(f'launch.{name}', run_name='__main__', alter_sys=True)
