"""Talks with a trained model in a terminal, and goes on tomorrow where it stopped today.

  python -m launch.chat --workdir=runs/first --state=talk.state
  python -m launch.chat --workdir=runs/first --bank=runs/bank --name=ann
  python -m launch.chat --model=Qwen3-0.6B --state=talk.state

A run's model goes on with the text it is told, line by line; an empty line lets it go on. A Hugging Face folder of a
Qwen3 answers by its chat template. Every token lies on the shade of its surprise, where the terminal has colours;
--surprise shows the numbers. After every turn the state is kept, whole or not at all; Ctrl-C ends an answer, at the
prompt the talk. Inside:

  /save [FILE]  /rewind  /fork NAME  /think [STEPS]  /draw FILE.png  /state  /quit   // begins a line that begins with /

/rewind goes back by turns of this process, the last eight. /think reasons in slots, /draw draws how. In a bank every
turn stays as a version, until launch.bank forgets the whole talk.

Answers go to stdout, all else to stderr, so that scripts can talk too; what a script says wrongly ends the talk.
"""

import sys

from absl import flags, logging

from latentmem.base.errors import InputError
from latentmem.session import sample
from launch import shell, voices
from launch.chatting import keeping, shown, signals, talk

_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder whose model talks.')
_STEP = flags.DEFINE_integer('step', None, 'Checkpoint; the latest good one where it is not given.')
_MODEL = flags.DEFINE_string('model', None, 'Hugging Face folder of a Qwen3, instead of a run folder.')
_CONTEXT = flags.DEFINE_integer('context', 4096, 'Tokens that a model of --model looks back on.', lower_bound=1,
                               upper_bound=2**24)
_DTYPE = flags.DEFINE_enum('dtype', 'bfloat16', ['bfloat16', 'float32'], 'Of the weights and arithmetic of --model.')
_STATE = flags.DEFINE_string('state', None, 'File that keeps the talk.')
_BANK = flags.DEFINE_string('bank', None, 'Bank that keeps the talk, a version for every turn, under --name.')
_NAME = flags.DEFINE_string('name', None, 'Object of --bank.')
_LENGTH = flags.DEFINE_integer('length', 200, 'Tokens of an answer, if the model does not end before.', lower_bound=0)
_TEMPERATURE = flags.DEFINE_float('temperature', 0.8, 'Of the draws; 0 takes the likeliest token.')
_TOP_K = flags.DEFINE_integer('top_k', 0, 'Draw from so many likeliest tokens; 0 from all.')
_TOP_P = flags.DEFINE_float('top_p', 1.0, 'Draw from the likeliest tokens that hold this share of the probability.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the draws.')
_SURPRISE = flags.DEFINE_bool('surprise', False, 'Show the surprise of every token in bits, -log2 of its probability.')


def main():
  logging.set_verbosity(logging.ERROR)
  voices.check_flags(_WORKDIR, _MODEL, of_run=(_STEP,), of_folder=(_CONTEXT, _DTYPE))
  sampler = sample.Sampler(_TEMPERATURE.value, _TOP_K.value, _TOP_P.value)
  kept = keeping.of(_STATE.value, _BANK.value, _NAME.value)
  with signals.Signals() as heard:
    voice = (voices.of_folder(_MODEL.value, _CONTEXT.value, _DTYPE.value, in_turns=True) if _MODEL.value else
             voices.of_run(_WORKDIR.value, _STEP.value))
    goes_on = kept.resume(voice.live)
    held = talk.Talk(voice, kept, _LENGTH.value, sampler, _SEED.value, heard.stopped)
    tell(f'{"Going on" if goes_on else "Beginning"}: {held.state()}.')
    if heard.stopped():
      return
    try:
      while (line := heard.listen(asked)) is not None and answered(held, line):
        pass
    except signals.Leave:
      tell('')
    tell(f'Ended: {held.state()}.')


def asked() -> str | None:
  """The next line, without its end; None behind the last."""
  if sys.stdin.isatty():
    print('> ', end='', file=sys.stderr, flush=True)
  line = sys.stdin.buffer.readline()
  return line.decode('utf-8', errors='surrogateescape').removesuffix('\n') if line else None


def answered(held: talk.Talk, line: str) -> bool:
  """Does what a line asks for -> whether the talk goes on."""
  try:
    if line.startswith('/') and not line.startswith('//'):
      done = held.command(line)
      tell(done or '')
      return done is not None
    turn(held, line[1:] if line.startswith('//') else line)
  except InputError as error:
    if not sys.stdin.isatty():
      raise
    tell(f'error: {error}')
  return True


def turn(held: talk.Talk, line: str) -> None:
  """Shows a turn: the answer as it comes, and what it and the line were worth to the model."""
  shade = shown.shaded if shown.can_shade(sys.stdout) else lambda text, bits: text
  begun, answer = held.turn(line, lambda text, bits: print(shade(text, bits), end='', flush=True))
  print(flush=True)
  for who, places in (('you', range(begun, answer)), ('answer', range(answer, held.voice.live.position))):
    texts, bits = held.told(places)
    if shown.can_shade(sys.stderr) and who == 'you':
      tell(''.join(map(shown.shaded, texts, bits)).rstrip('\n'))
    if _SURPRISE.value and texts:
      tell(f'{who}: {shown.numbers(texts, bits)}')
    tell(f'[{who}: {len(texts)} tokens, {shown.mean(bits)}]')
  tell(f'[{held.state()}]')


def tell(text: str) -> None:
  """Says what is no answer."""
  print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
  shell.run(main)
