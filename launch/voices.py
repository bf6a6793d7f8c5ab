"""Who goes on with a text: a run's model, or that of a Hugging Face folder, with the tokens that it speaks in."""

from typing import NamedTuple

from latentmem import data, model
from latentmem.base.errors import InputError
from latentmem.data.tokens import chat
from latentmem.session.session import Session
from latentmem.train import checkpoint

# Tokens that a folder's model reads at once: a short question is padded to so many.
PIECE = 64


class Voice(NamedTuple):
  """A model that speaks.

  Attributes:
    live: A session that has read nothing.
    coder: Turns text to tokens (`encode`) and back (`decode`).
    stops: Tokens that end what it says.
    template: How it was trained to read conversations; None where it goes on with text.
  """

  live: Session
  coder: object
  stops: frozenset[int] = frozenset()
  template: chat.Chat | None = None


def check_flags(workdir, model, of_run=(), of_folder=()) -> None:
  """Raises InputError unless one of the flags --workdir and --model is given, and none that only the other knows."""
  if bool(workdir.value) == bool(model.value):
    missing = 'takes one of them' if workdir.value else 'is missing; it names a run folder, as in --workdir=runs/first'
    raise InputError(f'--workdir {missing}; --model names a Hugging Face folder instead.')
  for flag in of_folder if workdir.value else of_run:
    if flag.present:
      raise InputError(f'--{flag.name} says nothing to {"--workdir" if workdir.value else "--model"}.')


def of_run(workdir: str, step: int | None = None) -> Voice:
  """A run's, at a checkpoint or the latest good one. Raises InputError where it was not trained on text."""
  config, params = checkpoint.load_params(workdir, step)
  source = data.make(config['data'])
  if not hasattr(source, 'decode'):
    raise InputError(f'{workdir} was trained on {config["data"]["kind"]!r}, which is no text to go on with.')
  return Voice(Session(model.make(**config['model']), params), source)


def of_folder(folder: str, context: int, dtype: str, in_turns: bool) -> Voice:
  """That of a Hugging Face folder of a Qwen3; all small files are looked at before the weights are read.

  Args:
    context: Tokens that it looks back on.
    dtype: Of weights and arithmetic.
    in_turns: Whether it is to converse, by the folder's chat template.
  """
  from latentmem.data import tokens
  from latentmem.model import qwen3_weights
  chosen = dict(context=context, dtype=dtype, param_dtype=dtype)
  fields = qwen3_weights.fields_of(folder, **chosen)
  coder = tokens.make('huggingface', path=folder)
  chat.check_vocab(coder, fields['vocab'], folder)
  stops = chat.stops(folder, coder)
  template = chat.read(folder) if in_turns else None
  fields, params = qwen3_weights.load(folder, **chosen)
  return Voice(Session(model.make(**fields), params, piece=PIECE), coder, stops, template)
