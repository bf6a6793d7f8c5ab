"""Trains one model from one config, or goes on where it stopped.

  python -m launch.train --config=configs/quickstart.py --workdir=runs/first --config.train.steps=100

Leaves a run folder with config.json, metrics.jsonl, result.json, checkpoints, a sample and report.html.
The same command again, with its --workdir, resumes; SIGTERM saves and exits 0. A run that
stayed below train.enough in all its steps is as whole as any, and the command exits 2.
"""

import time

from absl import flags, logging
import jax

from latentmem.base.errors import InputError
from latentmem.train import loop, placement, results
from latentmem.train.preemption import Preemption
from launch import keepsakes, parts, processes, shell

_CONFIG = shell.define_config()
_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder; runs/<config>-<time> where it is not given.')


def main():
  # Orbax tells a full disk in pages; what it means is told in one line.
  logging.set_verbosity(logging.FATAL)
  with processes.together(), Preemption() as preemption:
    built = parts.build(shell.config_of(_CONFIG))
    if jax.process_count() > 1 and not _WORKDIR.value:
      raise InputError('Several processes need --workdir, a folder that all of them see.')
    workdir = _WORKDIR.value or f'runs/{shell.config_name()}-{time.strftime("%Y%m%d-%H%M%S")}'
    run = results.begin(workdir, built.config, built.source, parts.filled)
    if jax.process_index() == 0:
      print(f'Training into {run.path}', flush=True)
    trained = loop.train(run, built.model, built.source, built.train, built.evaluate, built.config['seed'], built.place,
                         preemption)
    if not trained.done:
      return
    params = placement.whole(trained.state.params)
    if jax.process_index() == 0:
      # A run that ended keeps its result: commit, machine and seconds are those that made it.
      print(results.told(run.result or results.finish(run, trained, built.source)))
      keepsakes.write(run, built.model, params, built.source)
      print(f'Report: {run.path / "report.html"}')
    # What an error would end, the first process may still be writing.
    placement.meet('end')
    if below := results.below(run, built.train, trained):
      raise InputError(f'{below} A run with train.start={run.path} goes on from there.')


if __name__ == '__main__':
  shell.run(main)
