"""Writes long conversations into memories on a frozen base, asks about them, and tells one table.

  python -m launch.locomo --config=configs/locomo.py:arms --base=runs/english --config.data.path=locomo --arms=lpm,none

Each conversation is a person, whose turns train the arm's numbers; no question does. A question is answered by the
likeliest of up to ten answers (`tasks.locomo.choices`): from the memory of its conversation, from that of another, by
the base alone, and by the base behind the ten turns that BM25 finds. With --say=32 each of these also says an answer,
of so many tokens at most, which LoCoMo's own metric scores (F1 of stemmed words, by category). The base is a run
of launch.train over text or a Hugging Face folder, whose tokens are the rows'. The same command goes on where it
stopped.
"""

import functools

from absl import flags, logging

from latentmem.base.errors import InputError
from launch import comparing, parts, shell
from launch.personalizing import arms, bases, comparison, saying, told

_CONFIG = shell.define_config()
_BASE = flags.DEFINE_string('base', None, 'Folder of the base that stays as it is.')
_ARMS = flags.DEFINE_list('arms', ['lpm', 'prompt', 'none'], 'Arms, of lpm, lora, prompt, none.')
_SEEDS = flags.DEFINE_integer('seeds', 1, 'Seeds of each arm, from the config\'s on.')
_TURNS = flags.DEFINE_integer('turns', 10, 'Turns that BM25 finds for each question.')
_SAY = flags.DEFINE_integer('say', 0, 'Tokens of the answers that are said and scored by their words; 0 for none.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the comparison; runs/<config> where it is not given.')


def main():
  logging.set_verbosity(logging.FATAL)
  config = shell.config_of(_CONFIG)
  arms.check(config)
  if not _BASE.value or _TURNS.value < 1 or config['data']['kind'] != 'conversations':
    raise InputError("launch.locomo needs --base=FOLDER, a turn, and a config whose data are 'conversations' "
                     '(configs/locomo.py:arms).')
  seeds = comparing.seeds(config, _SEEDS.value, _ARMS.value)
  base = bases.load(_BASE.value, parts.mesh(**config['mesh'], rows=config['train']['rows']))
  bases.check_text(base)
  config['data'] |= dict(tokens=base.tokens, words=base.fields['vocab'])
  built = {name: arms.build(config, name, base) for name in _ARMS.value}
  source = next(iter(built.values())).source
  # Whatever does not fit is told before anything is trained.
  told.check(source)
  saying.check(source, _SAY.value)
  folder = comparing.begun(_WORKDIR.value)
  say = _SAY.value
  one = lambda path, arm, seed, preemption: comparison.one(path, arm, seed, base, preemption, told, say)
  if not comparing.all_done(folder, built, seeds, one):
    return
  alone = [comparison.kept(folder / f'turns-{turns}.json', base, source,
                           functools.partial(comparison.turns, base, source, turns)) for turns in (0, _TURNS.value)]
  words = [comparison.kept(folder / f'said-{say}-turns-{turns}.json', base, source,
                           functools.partial(comparison.spoken, base, source, turns, say))
           for turns in (0, _TURNS.value) if say]
  print(comparison.tell_of_conversations(folder, list(built), seeds, alone, base, words))


if __name__ == '__main__':
  shell.run(main)
