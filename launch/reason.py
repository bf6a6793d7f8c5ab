"""Trains arms of one comparison, lets each answer the same problems, and puts them into one table.

  python -m launch.reason --config=configs/reason.py:prosqa --arms=none,pause,feedback,state --seeds=3 --workdir=runs/p

Every arm and seed is a run folder like those of launch.train, with answers.json beside the rest; table.txt, table.json,
table.png and report.html lie above them. The same command again goes on where it stopped. --knock_outs has arms that
hold something from thought to thought (stream, state) answer once more without each part of it, and written only so
long.
"""

import pathlib

from absl import flags, logging

from latentmem.base.errors import InputError
from latentmem.model import latent
from latentmem.train import placement, results
from launch import answers, arms, comparing, parts, shell

_CONFIG = shell.define_config()
_ARMS = flags.DEFINE_list('arms', list(arms.ARMS), 'Arms, of: ' + ', '.join(arms.ARMS))
_SEEDS = flags.DEFINE_integer('seeds', 1, 'Seeds of each arm, from the config\'s on.')
_KNOCK_OUTS = flags.DEFINE_bool('knock_outs', False, 'Answer without parts of stream or state too.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the comparison; runs/<config> where it is not given.')


def main():
  logging.set_verbosity(logging.FATAL)
  config = shell.config_of(_CONFIG)
  if 'reason' not in config:
    raise InputError('launch.reason needs a config with a part `reason`, as configs/reason.py has it.')
  seeds = comparing.seeds(config, _SEEDS.value, _ARMS.value)
  configs = {arm: arms.of(config, arm) for arm in _ARMS.value}
  built = [parts.build(chosen) for chosen in configs.values()]
  # The arms are asked the same questions, so one stands for all.
  answers.check(config['reason'], built[0].source)
  folder = comparing.begun(_WORKDIR.value)
  if comparing.all_done(folder, configs, seeds, one):
    tell(folder, list(configs), seeds)


def one(path: pathlib.Path, config: dict, seed: int, preemption) -> bool:
  """Trains and scores one run, or goes on with it. False where it was asked to leave before its end."""
  built = parts.build(config | dict(seed=seed))
  run = results.begin(path, built.config, built.source, parts.filled)
  pages = dict(zip(('answers.json', 'knock_outs.json'), (answer, knock_out)))
  missing = [page for page in pages if not (run.path / page).exists()]
  if not _KNOCK_OUTS.value or built.model.feed not in latent.HOLDING:
    missing = [page for page in missing if page != 'knock_outs.json']
  if not missing:
    return True
  params = comparing.trained(run, built, seed, preemption)
  if params is None:
    return False
  params = placement.whole(params)
  for page in missing:
    pages[page](run, built, params, built.config['reason'])
  return True


def answer(run, built, params, chosen: dict) -> None:
  """Writes what a trained model answers and thinks: answers.json last."""
  asks = built.source.asks
  got = answers.given(built.model, params, asks, answers.heldout(chosen, built.source), chosen['longest'],
                      chosen['still'], watched=True)
  answers.look(run, built.model, params, asks, got)
  answers.keep_trail(run, asks, got, chosen['trail'])
  run.write('answers.json', answers.scored(built.model, asks, got))


def knock_out(run, built, params, chosen: dict) -> None:
  """Writes knock_outs.json: right answers without each part, and with writes only so long."""
  asks, asked, found = built.source.asks, answers.heldout(chosen, built.source), []
  for lack in answers.lacks(built.model):
    less = built.model.lacking(**lack)
    got = answers.given(less, params, asks, asked, chosen['longest'], chosen['still'])
    found.append(dict(lack, right=answers.right(asks, got), problems=len(asked)))
  run.write('knock_outs.json', found)


def tell(folder: pathlib.Path, names: list[str], seeds: range) -> None:
  """Writes and prints the table of these runs in a folder."""
  from latentmem.study import reasoning
  found, knocked = (comparing.pages(folder, names, seeds, page) for page in ('answers.json', 'knock_outs.json'))
  rows = [reasoning.summary(arm, runs) for arm, runs in found.items()]
  rules = next(iter(found.values()))[0]['rules']
  text = '\n'.join([reasoning.table(rows, rules), *reasoning.knock_outs(knocked)])
  comparing.keep(folder, dict(rows=rows, rules=rules, runs=found, knock_outs=knocked), text,
                 dict(table=(reasoning.CAPTION, reasoning.draw(rows, rules, folder.name))),
                 comparing.runs(folder, names, seeds))
  print(text)


if __name__ == '__main__':
  shell.run(main)
