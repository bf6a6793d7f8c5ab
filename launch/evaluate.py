"""Scores a run's model on held-out documents, of the run's data or of others.

  python -m launch.evaluate --workdir=runs/first
  python -m launch.evaluate --workdir=runs/needle --length=1024,4096 --config.data.heldout_examples=64

Every field of the run's config may be set anew. Writes each result whole into evaluations/ in the run's folder.
"""

import json

from absl import flags, logging
import jax

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import interface
from latentmem.personal.model import BASE
from latentmem.train import checkpoint, loop, results
from launch import parts, shell
from launch.personalizing import arms

_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder whose model is scored.')
_STEP = flags.DEFINE_integer('step', None, 'Checkpoint; the latest good one where it is not given.')
_LENGTH = flags.DEFINE_list('length', [], "Lengths of the task's examples, in tokens, each scored by itself.")


def main(chosen):
  # Orbax tells a full disk in pages; what it means is told in one line.
  logging.set_verbosity(logging.FATAL)
  if not _WORKDIR.value:
    raise InputError('--workdir is missing; it names a run folder, as in --workdir=runs/first.')
  run = records.read(_WORKDIR.value)
  step = checkpoint.good_step(run, _STEP.value)
  for lengths in [[('data.task.length', length)] for length in _LENGTH.value] or [[]]:
    overrides = chosen + lengths
    built, frozen = again(run, shell.overridden(run.config, overrides))
    want = jax.eval_shape(lambda key, model=built.model: interface.init_params(model, key), jax.random.key(0))
    _, params = checkpoint.load_params(run.path, step, want)
    scores = loop.heldout(built.model, jax.device_put(params, built.place.everywhere) | frozen, built.source,
                          built.place, built.evaluate, built.train.length)
    print(json.dumps(results.evaluated(run, step, overrides, scores, built.source), indent=2))


def again(run: records.Run, config: dict):
  """The parts that a run's config names, and what is frozen beside its parameters: a person's memory has a base."""
  if 'personal' not in config:
    return parts.build(config), {}
  arm, base = arms.of_run(str(run.path), config)
  return arm, {BASE: base.params}


if __name__ == '__main__':
  shell.run(main, overrides=True)
