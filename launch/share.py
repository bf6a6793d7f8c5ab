"""Trains two models that share nothing but slots, compares what passes between them, and puts it into one table.

  python -m launch.share --config=configs/share.py --arms=slots,halves,text,none --seeds=3 --workdir=runs/share

Arms: slots; halves (two agents each see a half of the scene, and write to one object of a bank); text, words of as many
bits; none, trained with nothing that passes. Every arm and seed is a run folder like those of launch.train, with
answers.json beside the rest: scores with a row's own slots, with those of another row, and with none. table.txt,
table.json, table.png and report.html lie above them. The same command again goes on where it stopped.
"""

import pathlib

from absl import flags, logging

from latentmem.base.errors import InputError
from latentmem.model import sharing as pair
from latentmem.personal import identity
from latentmem.train import loop, placement, results
from launch import comparing, parts, shell
from launch.sharing import agents, arms

_CONFIG = shell.define_config()
_ARMS = flags.DEFINE_list('arms', list(arms.ARMS), 'Arms, of: ' + ', '.join(arms.ARMS))
_SEEDS = flags.DEFINE_integer('seeds', 1, 'Seeds of each arm, from the config\'s on.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the comparison; runs/<config> where it is not given.')


def main():
  logging.set_verbosity(logging.FATAL)
  config = shell.config_of(_CONFIG)
  seeds = comparing.seeds(config, _SEEDS.value, _ARMS.value)
  if config['evaluate']['rows'] < 2:
    raise InputError('launch.share gives each row the slots of another; evaluate.rows must be 2 or more.')
  configs = {arm: arms.of(config, arm) for arm in _ARMS.value}
  for chosen in configs.values():
    parts.build(chosen)
  folder = comparing.begun(_WORKDIR.value)
  if comparing.all_done(folder, configs, seeds, one):
    tell(folder, list(configs), seeds)


def one(path: pathlib.Path, config: dict, seed: int, preemption) -> bool:
  """Trains and scores one run, or goes on with it. False where it was asked to leave before its end."""
  built = parts.build(config | dict(seed=seed))
  run = results.begin(path, built.config, built.source, parts.filled)
  if (run.path / 'answers.json').exists():
    return True
  params = comparing.trained(run, built, seed, preemption)
  if params is None:
    return False
  run.write('answers.json', answer(run, built, params))
  return True


def answer(run, built, params) -> dict:
  """Scores by whose slots arrive, what passes, and for views what agents answer over a bank in the run's folder."""
  score = lambda sent: loop.heldout(built.model.clone(sent=sent), params, built.source, built.place, built.evaluate,
                                    built.train.length)
  # What never had any slots is asked without them, whatever is sent.
  alone = built.model.sent == 'zeroed'
  found = dict.fromkeys(pair.SENT, score('zeroed')) if alone else {sent: score(sent) for sent in pair.SENT}
  found |= dict(bits=0 if alone else built.model.passed_bits)
  if built.model.views == 2:
    whole = placement.whole(params)
    found['bank'] = agents.answered(run.path / 'bank', built.model, whole, built.source, identity.fingerprint(whole))
  return found


def tell(folder: pathlib.Path, names: list[str], seeds: range) -> None:
  """Writes and prints the table of these runs in a folder."""
  from latentmem.study import sharing
  found = comparing.pages(folder, names, seeds)
  rows = [sharing.summary(arm, runs) for arm, runs in found.items()]
  text = sharing.table(rows)
  comparing.keep(folder, dict(rows=rows, runs=found), text,
                 dict(table=(sharing.CAPTION, sharing.draw(rows, folder.name))), comparing.runs(folder, names, seeds))
  print(text)


if __name__ == '__main__':
  shell.run(main)
