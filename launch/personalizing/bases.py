"""A frozen base from a folder: a run of launch.train, or a checkpoint as Hugging Face lays it out."""

import pathlib
from typing import NamedTuple

import jax

from latentmem import data
from latentmem import model as models
from latentmem.base import sharding
from latentmem.base.errors import InputError
from latentmem.data import spoken, tokens
from latentmem.data.tokens import chat
from latentmem.model import qwen3_weights
from latentmem.personal import identity
from latentmem.train import checkpoint


class Base(NamedTuple):
  """A model that stays as it is.

  Attributes:
    folder: Where it came from.
    fields: Kind and fields.
    params: Its parameters, placed.
    fingerprint: Of fields and parameters as they were loaded.
    tokens: Kind and fields of its tokens; None where it reads a task's own.
  """

  folder: str
  fields: dict
  params: dict
  fingerprint: str
  tokens: dict | None = None

  def seeing(self, context: int) -> dict:
    """Its fields with a cache of so many tokens, whatever it was made for: what is longer costs at every step."""
    return self.fields | (dict(context=context) if 'context' in self.fields else {})

  def check(self) -> str:
    """The fingerprint as it is now. Raises RuntimeError where they have changed."""
    now = identity.of_model(self.fields, self.params)
    if now != self.fingerprint:
      raise RuntimeError(f'The base of {self.folder} has changed: its fingerprint was {self.fingerprint[:12]} and is '
                         f'{now[:12]}. Nothing that was learned on it counts.')
    return now


def load(folder: str, mesh: jax.sharding.Mesh) -> Base:
  """Raises InputError where the folder holds neither, or what it holds is damaged."""
  path = pathlib.Path(folder)
  if not (path / 'config.json').is_file():
    raise InputError(f'{folder} holds no base: it has no config.json, as runs of launch.train and Hugging Face folders '
                     'have.')
  if qwen3_weights.stands_in(folder):
    # A folder without a tokenizer is what launch.convert makes of a run over a task, which is read as it was trained.
    text = (path / 'tokenizer.json').exists()
    wide = not text and qwen3_weights.read_json(path / 'config.json').get('torch_dtype') == 'float32'
    fields, params = qwen3_weights.load(folder, mesh, **dict(dtype='float32', param_dtype='float32') if wide else {})
    params, coder = params['params'], dict(kind='huggingface', path=str(folder)) if text else None
  else:
    config, params = checkpoint.load_params(folder)
    fields, params, coder = config['model'], params['params'], config['data'].get('tokens')
    params = jax.device_put(params, sharding.shardings(params, models.make(**fields).layout, mesh))
  return Base(str(folder), dict(fields), params, identity.of_model(fields, params), coder)


def of_run(run: str, config: dict, mesh: jax.sharding.Mesh) -> Base:
  """The base that a run of launch.personalize or launch.locomo learned on.

  Raises InputError where the run is another's, or its base is no longer what it was.
  """
  check_personal(run, config)
  base = load(config['base']['folder'], mesh)
  if base.fingerprint != config['base']['fingerprint']:
    raise InputError(f'The base in {base.folder} is not the one that {run} learned on: its fingerprint is '
                     f'{base.fingerprint[:12]}, and was {config["base"]["fingerprint"][:12]}.')
  return base


def check_text(base: Base) -> None:
  """Raises InputError for a base that reads a task's own tokens."""
  if not base.tokens:
    raise InputError(f'The base in {base.folder} does not read text; a run over a corpus does, or a Hugging Face '
                     'folder with its tokenizer.json.')


def chat_of(folder: str) -> str:
  """`folder` where it has a chat template, which is tried, or ''. Raises InputError for one that cannot be used."""
  return str(folder) if chat.found(folder) else ''


def speech(base: Base) -> spoken.Speech:
  """How a base that reads text is asked: by the chat template of its folder, if it has one.

  Raises InputError where that cannot be used.
  """
  return spoken.Speech(tokens.make(**base.tokens), chat.found(base.folder))


def in_text(source: dict, base: Base, chat_folder: str) -> dict:
  """A config's persons as a base that reads text is asked about them, by a chat template where a folder has one.

  Raises InputError for data that are asked about no persons, or a base with another tokenizer.
  """
  chosen = dict(source, tokens=base.tokens, words=base.fields['vocab'], chat=chat_folder, kind='persona_text')
  filled = data.fields(chosen)
  # Kept, so that whoever opens the run need not look for it again.
  return filled | dict(question=data.make(filled).asks.question)


def check_personal(run: str, config: dict) -> None:
  """Raises InputError for a config that is not of a run of launch.personalize or launch.locomo."""
  if 'personal' not in config or 'base' not in config:
    raise InputError(f'{run} is no run of launch.personalize, which leaves what people share.')
