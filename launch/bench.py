"""Times one memory layer: forward, training step, decoding, peak memory; beside a peer where it is installed.

  python -m launch.bench --suite=memory --out=docs/results/bench-memory

The peer comes with `pip install -e '.[bench]'`. Writes OUT.json and OUT.png.
"""

import pathlib
import shlex
import sys

from absl import flags

from latentmem.base.errors import check_known, InputError
from launch import shell
from launch.benchmarks import memory

SUITES = dict(memory=memory)

_SUITE = flags.DEFINE_string('suite', 'memory', f'One of {list(SUITES)}.')
_OUT = flags.DEFINE_string('out', 'runs/bench-memory', 'Where the record goes, without an ending.')
_LENGTHS = flags.DEFINE_list('lengths', ['1024', '4096', '8192', '32768'], 'Tokens of a row.')
_CHUNKS = flags.DEFINE_list('chunks', ['16', '64', '256'], 'Tokens of a chunk.')
_BATCH = flags.DEFINE_integer('batch', 2, 'Rows.', lower_bound=1)
_HEADS = flags.DEFINE_integer('heads', 4, 'Heads.', lower_bound=1)
_HEAD_WIDTH = flags.DEFINE_integer('head_width', 64, 'Numbers in a head.', lower_bound=1)
_DEPTH = flags.DEFINE_integer('depth', 2, 'Matrices of the memory.', lower_bound=1, upper_bound=4)
_DTYPE = flags.DEFINE_enum('dtype', 'float32', ['float32', 'bfloat16'], 'Of the tokens.')
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Calls of which the fastest counts.', lower_bound=1)
_LIMIT = flags.DEFINE_float('limit', 300, 'Seconds one measurement may take.')
_PEER = flags.DEFINE_bool('peer', True, 'Measure titans-pytorch too, where it is installed.')


def main():
  check_known(_SUITE.value, SUITES, 'bench', 'suite')
  try:
    lengths, chunks = ([int(n) for n in flag.value] for flag in (_LENGTHS, _CHUNKS))
  except ValueError as error:
    raise InputError(f'--lengths and --chunks are whole numbers: {error}.') from None
  shared = dict(batch=_BATCH.value, heads=_HEADS.value, head_width=_HEAD_WIDTH.value, depth=_DEPTH.value,
                dtype=_DTYPE.value, repeats=_REPEATS.value, tokens=64)
  peer = _PEER.value and bool(memory.peer_version()) and _DTYPE.value == 'float32'
  if _PEER.value and not peer:
    print("titans-pytorch is not installed (pip install -e '.[bench]') or not of this type (it is float32); measuring "
          'this library alone.')
  out = pathlib.Path(_OUT.value)
  shell.writable(out)
  record = memory.run(lengths, chunks, peer, shared, _LIMIT.value)
  flags_given = shlex.join(a for a in sys.argv[1:] if not a.startswith('--out'))
  memory.write(dict(command=f'python -m launch.bench {flags_given}', **record), out)
  print(f'{_OUT.value}.json and {_OUT.value}.png')


if __name__ == '__main__':
  shell.run(main)
