"""Times what this library is made of.

  python -m launch.bench --suite=memory --out=docs/results/bench-memory

Suites: memory (a Titans layer: forward, training step, decoding, peak memory; beside titans-pytorch where it is
installed, `pip install -e '.[bench]'`), recurrence (token_state's tokens all at once, beside one after another),
thinking (thoughts and answers against a carry, beside passes over everything), qwen3 (a checkpoint of 0.6B numbers,
written for it to a temporary folder, from disk to its first token), bank (a state put and got, beside its bytes
written and read, on the disk where the record goes), storage (a run's model going on with a text after its carry was
stored in fewer bits), sessions (many live sessions in one batch, beside one alone), absorb (new turns written into the
memories of a run of launch.personalize, and what that leaves of old facts) and transformers (Qwen3's logits, greedy
tokens and files beside theirs, where torch and transformers are installed).
Writes OUT.json and OUT.png.
"""

import pathlib

from absl import flags, logging

from latentmem.base import records
from latentmem.base.errors import check_known, InputError
from launch import shell
from launch.benchmarks import absorb, bank, memory, qwen3, recurrence, sessions, storage, thinking, transformers

_SUITE = flags.DEFINE_string('suite', 'memory', 'memory, recurrence, thinking, qwen3, bank, storage, sessions, '
                             'absorb or transformers.')
_OUT = flags.DEFINE_string('out', None, 'Where the record goes, without an ending; runs/bench-SUITE if not given.')
_LENGTHS = flags.DEFINE_list('lengths', [], 'Tokens of a row, a question or a document, numbers of a state, '
                            'sessions or turns; those of the suite if not given.')
_CHUNKS = flags.DEFINE_list('chunks', ['16', '64', '256'], 'Tokens of a chunk.')
_BATCH = flags.DEFINE_integer('batch', 2, 'Rows.', lower_bound=1)
_HEADS = flags.DEFINE_integer('heads', 4, 'Heads.', lower_bound=1)
_HEAD_WIDTH = flags.DEFINE_integer('head_width', 64, 'Numbers in a head.', lower_bound=1)
_DEPTH = flags.DEFINE_integer('depth', 2, 'Matrices of the memory.', lower_bound=1, upper_bound=4)
_DTYPE = flags.DEFINE_enum('dtype', 'float32', ['float32', 'bfloat16'], 'Of the tokens.')
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Calls of which the fastest counts.', lower_bound=1)
_LIMIT = flags.DEFINE_float('limit', 300, 'Seconds one measurement may take.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder whose model goes on with a text, or whose memories are '
                              'written into.')
_PEOPLE = flags.DEFINE_integer('people', 4, 'Whose memories are written into.', lower_bound=1)
_STEPS = flags.DEFINE_integer('steps', 150, 'Updates of a memory.', lower_bound=1)
_PEER = flags.DEFINE_bool('peer', True, 'Measure titans-pytorch too, where it is installed.')


def main():
  check_known(_SUITE.value, SUITES, 'bench', 'suite')
  out = pathlib.Path(_OUT.value or f'runs/bench-{_SUITE.value}')
  shell.writable(out)
  suite, lengths, used = SUITES[_SUITE.value]
  for other, (_, _, own) in SUITES.items():
    for flag in own:
      # Flags cannot be compared, but with themselves.
      if flag.present and not any(flag is each for each in used):
        raise InputError(f'--{flag.name} says nothing to the suite {_SUITE.value!r}; it is for {other}.')
  record = suite(_whole_numbers(_LENGTHS) or lengths)
  numbers, picture = (shell.ending(out, end) for end in ('.json', '.png'))
  records.write_json(numbers, dict(command=shell.command('bench'), **record))
  from latentmem.study import bench_figure, figures
  records.write_whole(picture, figures.png(bench_figure.draw(record)))
  print(f'{numbers} and {picture}')


def _whole_numbers(flag) -> list[int]:
  try:
    return [int(n) for n in flag.value]
  except ValueError as error:
    raise InputError(f'--{flag.name} takes whole numbers: {error}.') from None


def _memory(lengths: list[int]) -> dict:
  peer = _PEER.value and bool(memory.peer_version()) and _DTYPE.value == 'float32'
  if _PEER.value and not peer:
    print("titans-pytorch is not installed (pip install -e '.[bench]') or not of this type (it is float32); measuring "
          'this library alone.')
  shared = dict(batch=_BATCH.value, heads=_HEADS.value, head_width=_HEAD_WIDTH.value, depth=_DEPTH.value,
                dtype=_DTYPE.value, repeats=_REPEATS.value, tokens=64)
  return memory.run(lengths, _whole_numbers(_CHUNKS), peer, shared, _LIMIT.value)


def _recurrence(lengths: list[int]) -> dict:
  return recurrence.run(lengths, _BATCH.value, _HEADS.value * _HEAD_WIDTH.value, _REPEATS.value)


def _thinking(lengths: list[int]) -> dict:
  return thinking.run(lengths, _BATCH.value, _HEADS.value, _HEAD_WIDTH.value, _REPEATS.value)


def _qwen3(lengths: list[int]) -> dict:
  return qwen3.run(lengths, _LIMIT.value)


def _bank(sizes: list[int]) -> dict:
  return bank.run(sizes, _REPEATS.value, pathlib.Path(_OUT.value or 'runs/bench-bank').parent)


def _run_folder() -> str:
  if not _WORKDIR.value:
    raise InputError('--workdir is missing; it names a run folder, as in --workdir=runs/first.')
  logging.set_verbosity(logging.ERROR)
  return _WORKDIR.value


def _storage(lengths: list[int]) -> dict:
  return storage.run(_run_folder(), lengths, _BATCH.value if _BATCH.present else 16)


def _sessions(sizes: list[int]) -> dict:
  return sessions.run(sizes, _REPEATS.value)


def _absorb(turns: list[int]) -> dict:
  return absorb.run(_run_folder(), turns, _PEOPLE.value, _STEPS.value)


def _transformers(_: list[int]) -> dict:
  return transformers.run()


MEMORY_ALONE = (_CHUNKS, _DEPTH, _DTYPE, _LIMIT, _PEER)
LONG = [1024, 4096, 8192, 32768]
# What runs, over which lengths, and the flags that only it knows.
SUITES = dict(memory=(_memory, LONG, MEMORY_ALONE), recurrence=(_recurrence, LONG, ()), thinking=(_thinking, [480], ()),
              qwen3=(_qwen3, [32], (_LIMIT,)), bank=(_bank, [10**6, 10**7, 10**8], ()),
              storage=(_storage, [4096], (_WORKDIR,)), sessions=(_sessions, [1, 8, 64], ()),
              absorb=(_absorb, [1000], (_WORKDIR, _PEOPLE, _STEPS)), transformers=(_transformers, [], ()))


if __name__ == '__main__':
  shell.run(main)
