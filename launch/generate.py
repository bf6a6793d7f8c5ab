"""Goes on with a text, token by token, from a run's checkpoint; memory does not grow with the length.

  python -m launch.generate --workdir=runs/first --prompt='def ' --length=500 --temperature=0.8 --seed=0

A long document can be read once and asked about later:

  python -m launch.generate --workdir=runs/first --prompt_file=book.txt --length=0 --state_out=book.state
  python -m launch.generate --workdir=runs/first --state_in=book.state --prompt='At the end'

Or from a Hugging Face folder of a dense Qwen3 with its tokenizer; --chat puts the prompt into its chat template:

  python -m launch.generate --model=Qwen3-0.6B --chat --prompt='Who wrote Momo?' --greedy

Only what is generated goes to stdout.
"""

import pathlib

from absl import flags, logging

from latentmem.base.errors import InputError
from latentmem.session import sample, text
from launch import shell, voices

_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder whose model goes on with the text.')
_STEP = flags.DEFINE_integer('step', None, 'Checkpoint; the latest good one where it is not given.')
_MODEL = flags.DEFINE_string('model', None, 'Hugging Face folder of a Qwen3, instead of a run folder.')
_CHAT = flags.DEFINE_bool('chat', False, 'The prompt is what a user says, in the chat template of --model.')
_CONTEXT = flags.DEFINE_integer('context', 4096, 'Tokens that a model of --model looks back on.', lower_bound=1,
                               upper_bound=2**24)
_DTYPE = flags.DEFINE_enum('dtype', 'bfloat16', ['bfloat16', 'float32'], 'Of the weights and arithmetic of --model.')
_PROMPT_FILE = flags.DEFINE_string('prompt_file', None, 'Text that is read first.')
_PROMPT = flags.DEFINE_string('prompt', '', 'Text that is read next.')
_LENGTH = flags.DEFINE_integer('length', 500, 'Tokens to generate, if the model does not end before.', lower_bound=0)
_TEMPERATURE = flags.DEFINE_float('temperature', 0.8, 'Of the draws; 0 takes the likeliest token.')
_TOP_K = flags.DEFINE_integer('top_k', 0, 'Draw from so many likeliest tokens; 0 from all.')
_TOP_P = flags.DEFINE_float('top_p', 1.0, 'Draw from the likeliest tokens that hold this share of the probability.')
_GREEDY = flags.DEFINE_bool('greedy', False, 'The likeliest token each time, as with --temperature=0.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the draws.')
_STATE_IN = flags.DEFINE_string('state_in', None, 'State to go on from, as --state_out wrote it.')
_STATE_OUT = flags.DEFINE_string('state_out', None, 'Where to leave the state at the end.')


def main():
  logging.set_verbosity(logging.ERROR)
  voices.check_flags(_WORKDIR, _MODEL, of_run=(_STEP,), of_folder=(_CHAT, _CONTEXT, _DTYPE))
  sampler = sample.GREEDY if _GREEDY.value else sample.Sampler(_TEMPERATURE.value, _TOP_K.value, _TOP_P.value)
  prompt = read(_PROMPT_FILE.value) + _PROMPT.value
  if _STATE_OUT.value and not pathlib.Path(_STATE_OUT.value).absolute().parent.is_dir():
    raise InputError(f'--state_out={_STATE_OUT.value} is in a folder that does not exist.')
  if _MODEL.value:
    voice = voices.of_folder(_MODEL.value, _CONTEXT.value, _DTYPE.value, _CHAT.value)
  else:
    voice = voices.of_run(_WORKDIR.value, _STEP.value)
  live, coder, stops, template = voice
  if template:
    prompt = template.text([dict(role='user', content=prompt)])
  if _STATE_IN.value:
    live.load(_STATE_IN.value)
  live.feed(coder.encode(prompt))
  if _LENGTH.value:
    for piece in text.streamed(live.generate(_LENGTH.value, sampler, _SEED.value, stops), coder.decode):
      print(piece, end='', flush=True)
    print()
  if _STATE_OUT.value:
    live.save(_STATE_OUT.value)


def read(path: str | None) -> str:
  """A file's text, every byte of it; '' for no file."""
  try:
    return pathlib.Path(path).read_bytes().decode('utf-8', errors='surrogateescape') if path else ''
  except OSError as error:
    raise InputError(f'--prompt_file={path} cannot be read: {error.strerror}.') from None


if __name__ == '__main__':
  shell.run(main)
