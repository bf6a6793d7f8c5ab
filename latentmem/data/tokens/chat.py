"""Conversations as a model was trained to read them: the chat template that lies beside its tokenizer.

A template is a program in Jinja. It comes from chat_template.jinja, or from tokenizer_config.json, and runs in a
sandbox that reaches nothing but the messages, as in Hugging Face's own rendering. Needs the package jinja2.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import datetime
import functools
import json
import pathlib

from latentmem.base.errors import InputError
from latentmem.data.tokens import interface

TEMPLATE, TOKENIZER, GENERATION, MODEL = ('chat_template.jinja', 'tokenizer_config.json', 'generation_config.json',
                                          'config.json')


# What a template has to take: a first turn, and one behind an answer.
PROBES = ([dict(role='user', content='.')],
          [dict(role='user', content='.'), dict(role='assistant', content='.'), dict(role='user', content='.')])


class Refused(Exception):
  """What a template says of messages that it does not take."""


@dataclasses.dataclass(frozen=True)
class Chat:
  """A chat template.

  Attributes:
    template: In Jinja.
    special: Special tokens by their names, such as eos_token, which a template may use.
    path: Where it comes from.
  """

  template: str
  special: Mapping[str, str] = dataclasses.field(default_factory=dict)
  path: str = ''

  @functools.cached_property
  def _compiled(self):
    interface.package('jinja2')
    from jinja2 import exceptions, sandbox
    world = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                  extensions=['jinja2.ext.loopcontrols'])
    world.filters['tojson'] = _as_json
    world.globals |= dict(raise_exception=_refuse, strftime_now=lambda form: datetime.datetime.now().strftime(form))
    try:
      return world.from_string(self.template)
    except (exceptions.TemplateError, RecursionError) as error:
      raise InputError(f'{self.path} is no chat template: {_line(error)}.') from error

  def text(self, messages: Sequence[Mapping], add_generation_prompt: bool = True, **given) -> str:
    """The conversation as text, and where `add_generation_prompt` the words that open the model's turn.

    Args:
      messages: In turn, each with role ('system', 'user', 'assistant') and content.
      add_generation_prompt: Whether the model speaks next.
      **given: What else the template asks for, such as enable_thinking of Qwen3's.

    Raises InputError where the template is none, refuses the messages, or fails.
    """
    template = self._compiled
    try:
      return template.render(**self.special | given | dict(messages=list(messages),
                                                           add_generation_prompt=add_generation_prompt))
    except Exception as error:  # a template is a program and may fail in every way
      what = 'refuses these messages' if isinstance(error, Refused) else 'fails'
      raise InputError(f'The chat template of {self.path} {what}: {_line(error)}.') from error


def read(folder: str) -> Chat:
  """The chat template of a tokenizer's folder, which has taken a first turn and a second.

  Raises InputError where there is none, it cannot be read, or it asks for what is not there: nothing of the model is
  needed to know.
  """
  folder = pathlib.Path(folder)
  config = _object(folder / TOKENIZER)
  found, path = _standing(folder, config)
  if not isinstance(found, str):
    raise InputError(f'{folder} has no chat template: neither {TEMPLATE}, nor chat_template in {TOKENIZER}. '
                     'Its model may have been trained on plain text; leave --chat out.')
  special = {name: _content(value) for name, value in config.items() if name.endswith('_token')}
  made = Chat(found, {name: value for name, value in special.items() if value is not None}, str(path))
  for messages in PROBES:
    made.text(messages)
  return made


def found(folder: str) -> Chat | None:
  """What `read` returns and raises, and None for a folder without a chat template."""
  folder = pathlib.Path(folder)
  return None if _standing(folder, _object(folder / TOKENIZER))[0] is None else read(folder)


def _standing(folder, config):
  """The template of a folder, unread, and the file that has it."""
  if (folder / TEMPLATE).is_file():
    return _text(folder / TEMPLATE), folder / TEMPLATE
  found = config.get('chat_template')
  if isinstance(found, list):
    named = {each.get('name'): each.get('template') for each in found if isinstance(each, dict)}
    found = named.get('default')
  return found, folder / TOKENIZER


def stops(folder: str, coder) -> frozenset[int]:
  """Tokens that end what a model says, by generation_config.json, or else config.json, and by tokenizer_config.json.

  `coder` is the folder's tokenizer. Raises InputError for a token that it does not have.
  """
  folder = pathlib.Path(folder)
  known = coder.model.get_vocab(with_added_tokens=True)
  found = set()
  for name in (GENERATION, MODEL):
    ids = _object(folder / name).get('eos_token_id')
    ids = [] if ids is None else ids if isinstance(ids, list) else [ids]
    wrong = [i for i in ids if type(i) is not int or i not in known.values()]
    if wrong:
      raise InputError(f'{folder / name} ends at eos_token_id={wrong[0]!r}, which the tokenizer {coder.path} does not '
                       'have; it has another vocabulary than the model.')
    found |= set(ids)
    if found:
      break
  token = _content(_object(folder / TOKENIZER).get('eos_token'))
  if token is not None and token not in known:
    raise InputError(f'{folder / TOKENIZER} ends at eos_token={token!r}, which the tokenizer {coder.path} lacks.')
  return frozenset(found if token is None else found | {known[token]})


def check_vocab(coder, vocab: int, folder: str) -> None:
  """Raises InputError where a tokenizer writes tokens that a model of `vocab` tokens does not know."""
  if coder.vocab > vocab:
    raise InputError(f'The tokenizer {coder.path} has {coder.vocab} tokens, the model of {folder} knows {vocab}; they '
                     'do not belong together.')


def _object(path: pathlib.Path) -> dict:
  """An object in a JSON file; an empty one where there is no file."""
  if not path.is_file():
    return {}
  try:
    found = json.loads(_text(path))
  except (ValueError, RecursionError) as error:
    raise InputError(f'{path} is not JSON: {_line(error)}.') from error
  if not isinstance(found, dict):
    raise InputError(f'{path} holds a {type(found).__name__}, not an object.')
  return found


def _text(path: pathlib.Path) -> str:
  try:
    return path.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as error:
    raise InputError(f'{path} cannot be read as text: {_line(error)}.') from error


def _content(token) -> str | None:
  """A special token's text, which may stand beside what else is said of it."""
  token = token.get('content') if isinstance(token, dict) else token
  return token if isinstance(token, str) else None


def _refuse(said):
  raise Refused(said)


def _as_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
  return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _line(error) -> str:
  return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')
