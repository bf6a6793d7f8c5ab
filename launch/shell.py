"""What every launcher shares: flags, errors in one line, exit codes, and a config turned into the things it names.

A mistake of the user prints `error: ...` and exits with code 2; anything else is a bug, and keeps its traceback.
"""

from collections.abc import Callable
import copy
import errno
import json
import os
import pathlib
import re
import shlex
import sys

from absl import app, flags, logging

from latentmem.base import naming
from latentmem.base.errors import hint, InputError


def run(main: Callable[..., int | None], overrides: bool = False, words: bool = False) -> None:
  """Parses the flags, then runs `main`; its result is the exit code.

  With `overrides`, `main` gets the list of (field, value) that --config.FIELD=VALUE gave, for a config that it reads
  from a run's folder; with `words`, the list of what stands between the flags.
  """
  if words:
    app.run(lambda argv: _guarded(lambda: main(argv[1:])), flags_parser=lambda argv: _parse(argv, words=True))
    return
  if not overrides:
    app.run(lambda _: _guarded(main), flags_parser=_parse)
    return
  found = [re.fullmatch(r'--?config\.([\w.]+)=(.*)', a) for a in sys.argv[1:]]
  chosen = [m.groups() for m in found if m]
  rest = sys.argv[:1] + [a for a, m in zip(sys.argv[1:], found) if not m]
  app.run(lambda _: _guarded(lambda: main(chosen)), argv=rest, flags_parser=_parse)


def overridden(config: dict, chosen: list[tuple[str, str]]) -> dict:
  """A config with fields set from text, each read as what it is now. Raises InputError for unknown fields."""
  config = copy.deepcopy(config)
  for path, text in chosen:
    wrong = unknown(config, path)
    if wrong:
      raise InputError(wrong)
    *above, name = path.split('.')
    node = config
    for each in above:
      node = node[each]
    node[name] = _read_as(node[name], text, path)
  return config


def unknown(config, path: str) -> str | None:
  """What to say where `path` ('model.memory.chunk') names no field; None where it does."""
  node, names = config, path.split('.')
  for depth, name in enumerate(names):
    known = list(node.keys()) if hasattr(node, 'keys') else []
    if name not in known:
      where = '.'.join(names[:depth]) or 'config'
      return f'no field {name!r} in {where}{hint(name, known)}' + (f'; it has {known}.' if known else '.')
    node = node[name]
  return None


def _read_as(old, text: str, path: str):
  try:
    if isinstance(old, bool):
      return dict(true=True, false=False)[text.lower()]
    if old is None or isinstance(old, (dict, list, tuple)):
      return json.loads(text)
    return type(old)(text)
  except (ValueError, KeyError):
    raise InputError(f'config.{path}={text}: it is a {type(old).__name__}, now {old!r}.') from None


def command(launcher: str) -> str:
  """What was given to start this process, but for where the result goes: what a record keeps."""
  return f'python -m launch.{launcher} {shlex.join(a for a in sys.argv[1:] if not a.startswith("--out"))}'


def fail(message: str) -> None:
  """Prints an error and leaves with code 2."""
  print(f'error: {message}', file=sys.stderr, flush=True)
  raise SystemExit(2)


def writable(path: pathlib.Path) -> None:
  """Makes a file's folder, before the work that the file is for. Raises InputError where that cannot be."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
      raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
  except OSError as error:
    raise InputError(f'{path} cannot be written: {error.strerror}.') from error


def ending(path: pathlib.Path, end: str) -> pathlib.Path:
  """`path` with `end` behind its name, whatever dots are in that; in the place of '.json', where it was given so."""
  return path.with_name(path.name.removesuffix('.json') + end)


def define_config() -> flags.FlagHolder:
  """The flag --config=FILE.py[:choice], with --config.FIELD=VALUE for every field in it."""
  from ml_collections import config_flags
  return config_flags.DEFINE_config_file('config', lock_config=True,
                                         help_string='Config file, as in configs/recall.py:titans.')


def config_of(holder) -> dict:
  """The config as nested dicts. Raises InputError where the flag is missing, or its file cannot be read."""
  if flags.FLAGS['config'].value is None:
    raise InputError('--config is missing; for example --config=configs/quickstart.py.')
  try:
    return copy.deepcopy(holder.value.to_dict())
  except OSError as error:
    raise InputError(f'The config file cannot be read: {error}') from None


def config_name() -> str:
  """'recall-titans' for --config=configs/recall.py:titans."""
  from ml_collections import config_flags
  path, _, choice = config_flags.get_config_filename(flags.FLAGS['config']).partition(':')
  return naming.file_name('-'.join(filter(None, (pathlib.Path(path).stem, choice))))


def _guarded(main):
  try:
    sys.exit(main())
  except InputError as error:
    logging.debug('where it happened', exc_info=True)
    fail(str(error))


def _parse(argv, words: bool = False):
  try:
    left = flags.FLAGS(argv)
  except flags.Error as error:
    fail(_without_traceback(str(error)))
  except OSError as error:
    fail(f'The config file cannot be read: {error}')
  except (AttributeError, KeyError) as error:
    fail(_misspelt(argv) or str(error))
  if left[1:] and not words:
    fail(f'{left[1]!r} is no flag{hint("--" + left[1].lstrip("-"), ["--" + f for f in flags.FLAGS])}.')
  return left


def _without_traceback(told: str) -> str:
  """An error inside a config file comes as the text of its traceback, the error itself last."""
  if 'Traceback' not in told:
    return told
  told = told.strip()
  return told.rpartition('InputError: ')[2] if 'InputError: ' in told else told.splitlines()[-1]


def _misspelt(argv) -> str | None:
  """What to say of the first --config.a.b=c that names no field."""
  given = [a.split('=', 1)[-1] for a in argv if re.match(r'--?config=', a)]
  wanted = [m.group(1) for a in argv if (m := re.match(r'--?config\.([\w.]+)', a))]
  if not given:
    return '--config=FILE must come with its fields.'
  config = load(given[-1])
  return next(filter(None, (unknown(config, path) for path in wanted)), None)


def load(path: str):
  """A config file's config, before anything is overridden."""
  import importlib.util
  path, colon, choice = path.partition(':')
  spec = importlib.util.spec_from_file_location('config_file', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config(choice) if colon else module.get_config()
