"""Trains memories of persons on a frozen base, asks each with its own and another's memory, and tells one table.

  python -m launch.personalize --config=configs/personal.py:lpm --base=docs/bases/persons --arms=lpm,lora,prompt,none
      --seeds=3 --histories=396

The base is a run of launch.train or a Hugging Face folder; a hash shows that it stays as it was. One that learned
'persona_context', a run or what launch.convert made of it, is asked in the words of that. One that reads text is asked
in plain English, by its own tokenizer and by the chat template of its folder, if that has one, and chooses the
likeliest letter.

Every arm and seed is a run folder like those of launch.train, with answers.json beside the rest; table.txt, table.json,
table.png and report.html lie above them, with what the base scores when it reads the history itself, figures over its
length, and the slots of the first run that has any. The same command goes on where it stopped.
"""

import functools

from absl import flags, logging

from latentmem.base.errors import InputError
from launch import comparing, parts, shell
from launch.personalizing import arms, bases, comparison, histories, scores, told

_CONFIG = shell.define_config()
_BASE = flags.DEFINE_string('base', None, 'Folder of the base that stays as it is.')
_ARMS = flags.DEFINE_list('arms', [], 'Arms, of lpm, lora, prompt, none; the config\'s where none is given.')
_SEEDS = flags.DEFINE_integer('seeds', 1, 'Seeds of each arm, from the config\'s on.')
_HISTORIES = flags.DEFINE_list('histories', ['1024'], 'Tokens of history that the base reads itself; behind a colon, '
                               'of how many people, the first: 1024,131072:4.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the comparison; runs/<config> where it is not given.')


def main():
  logging.set_verbosity(logging.FATAL)
  config = shell.config_of(_CONFIG)
  arms.check(config)
  reads = histories.named(_HISTORIES.value)
  if not _BASE.value:
    raise InputError('launch.personalize needs --base=FOLDER.')
  chat = bases.chat_of(_BASE.value)
  base = bases.load(_BASE.value, parts.mesh(**config['mesh'], rows=config['train']['rows']))
  asks = told if base.tokens else scores
  if base.tokens:
    config['data'] = bases.in_text(config['data'], base, chat)
  names = _ARMS.value or [config['personal']['arm']]
  seeds = comparing.seeds(config, _SEEDS.value, names)
  built = {name: arms.build(config, name, base) for name in names}
  source = next(iter(built.values())).source
  asks.check(source, reads)
  folder = comparing.begun(_WORKDIR.value)
  one = lambda path, arm, seed, preemption: comparison.one(path, arm, seed, base, preemption, asks)
  if not comparing.all_done(folder, built, seeds, one):
    return
  whole = [comparison.kept(folder / read.page, base, source,
                           functools.partial(comparison.history, base, source, read, asks)) for read in reads]
  print(comparison.tell(folder, names, seeds, whole, base))


if __name__ == '__main__':
  shell.run(main)
