"""The training loop: restore, step, measure one step late, evaluate, save.

It has never heard of memories: it sees a model, batches and a carry. What is measured after a step depends on the step
alone, and all of it is on the disk before the step's checkpoint is, so a run that was killed leaves the same records as
one that was not.
"""

from collections.abc import Callable
import contextlib
import functools
import math
from typing import NamedTuple

import jax
import numpy as np

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import beginning, evaluate, meter, progress, writers
from latentmem.train.checkpoint import Checkpoints
from latentmem.train.placement import agreed, Placement
from latentmem.train.preemption import Preemption
from latentmem.train.program import Program
from latentmem.train.settings import Evaluate, Train


class NonFinite(InputError):
  """Training stopped: too many updates in a row were not finite."""


class Trained(NamedTuple):
  """What training ended with.

  Attributes:
    state: The train state.
    done: Whether all steps were made, or enough was reached; False where the run was asked to leave before.
    seconds: Spent training, compiling included, evaluating and saving not.
    flops: Of one step; None where not done.
    enough: Whether the last held-out scores were `settings.enough`; False where that is 0.
  """

  state: NamedTuple
  done: bool
  seconds: float
  flops: int | None
  enough: bool = False


def train(run: records.Run, model, source, settings: Train, scored: Evaluate, seed: int, place: Placement,
          preemption: Preemption | None = None, show: bool = True, frozen: dict | None = None,
          prepare: Callable[[dict], dict] | None = None) -> Trained:
  """Trains `model` on `source` into `run`, from the run's last checkpoint where it has one.

  Args:
    scored: How held-out scores are made, every `settings.evaluate_every` steps and at the end. Training ends with the
      first whose accuracy is `settings.enough`.
    seed: Of parameters, of randomness in training, and of the order of the data.
    preemption: Asked after every step whether to leave; it then saves and returns.
    show: Whether this process shows progress.
    frozen: Variables beside the parameters that are read and never moved, already placed; not saved.
    prepare: Makes of new parameters those to begin with; asked of none that come from a folder.

  Raises:
    NonFinite: past `settings.skips_allowed` updates in a row that were not finite, naming the layer.
    InputError: for sizes that do not divide, checkpoints that do not fit or are damaged, a full disk, a run that
      another process trains, a folder to start from that is not there or holds another model, an accuracy that is to
      be enough where none is scored.
  """
  program = Program(model, settings, place, frozen)
  # What would be refused when it is scored, or read, is refused now.
  place.check(scored.rows, scored.length or settings.length)
  mine = dict(zip(('align', 'shard', 'shards'), (model.align, *place.share())))
  source.heldout(scored.rows, scored.length or settings.length, **mine)
  batches_from = functools.partial(source.train, settings.rows, settings.length, seed=seed, **mine)
  batches_from(start=0)
  if settings.enough and 'accuracy' not in source.scorer().result():
    kind = source.describe()['kind']
    raise InputError(f'train.enough={settings.enough} asks for a held-out accuracy, and {kind} data have none; '
                     'train.enough=0 makes all steps.')
  first = jax.process_index() == 0
  preemption = preemption or Preemption()
  with contextlib.ExitStack() as stack:
    if first:
      stack.enter_context(records.held(run.path))
    stack.enter_context(preemption.guarded())
    checkpoints = stack.enter_context(Checkpoints(run, settings.keep, settings.keep_every))
    said = []
    state = checkpoints.restore(program.shapes, said.append)
    begun = 0 if state is None else int(state.step)
    if state is None:
      state = beginning.begun(program, settings.start, seed, prepare)
    if first:
      run.rewind(begun)
    shown = stack.enter_context(progress.Progress(settings.steps, begun, unit_of(source), show and first))
    for text in said + ([f'Going on from step {begun}.'] if begun else []):
      shown.say(text)
    write = writers.Measurements(run, settings.tensorboard, settings.wandb, first)
    stack.callback(write.close)
    loop = _Loop(run, program, source, scored, checkpoints, write, shown, _clock(run))
    return loop.go(state, batches_from(start=begun), begun, preemption)


class _Loop:
  """The parts that a run's steps need, and what was measured and is not yet written."""

  def __init__(self, run, program, source, scored, checkpoints, write: Callable, shown, clock):
    self.run, self.program, self.source, self.scored = run, program, source, scored
    self.checkpoints, self.write, self.shown, self.clock = checkpoints, write, shown, clock
    self.settings = program.settings
    self.waiting = self.batch = None

  def go(self, state, batches, begun: int, preemption) -> Trained:
    s = self.settings
    step, leave = begun, False
    enough = bool(agreed(lambda: any(reached(scores, s.enough) for scores in self.run.metrics('heldout'))))
    profile_from = max(s.profile_from, begun + 1)
    with contextlib.ExitStack() as profile:
      while step < s.steps and not (leave or enough):
        step += 1
        if step == profile_from and s.profile_steps:
          profile.enter_context(jax.profiler.trace(str(self.run.path / 'profile')))
        state = self.step(step, state, next(batches))
        if step == profile_from + s.profile_steps - 1:
          jax.block_until_ready(state)
          profile.close()
        leave = preemption.asked(step)
        enough = self.between(step, state, leave)
    if step < s.steps and not enough:
      return Trained(state, False, self.clock.seconds, None)
    shapes = self.batch or self.program.place.batch(next(batches))
    return Trained(state, True, self.clock.seconds, self.program.flops(shapes), enough)

  def step(self, step: int, state, local: dict):
    """Makes a step, and writes what was measured in the one before."""
    batch = self.batch = self.program.place.batch(local)
    if due(step, self.settings.telemetry_every):
      self.settle(state)
      self.clock.stop()
      self.write(step, 'telemetry', **jax.tree.map(np.asarray, self.program.watch(state, batch)))
    self.clock.go()
    with jax.profiler.StepTraceAnnotation('train', step_num=step):
      state, measured = self.program.step(state, batch)
    self.settle(state)
    self.waiting = step, measured, batch, bytes_per_token(local)
    return state

  def between(self, step: int, state, leave: bool) -> bool:
    """Scores and saves, where it is time to -> whether it was enough."""
    s, last, enough = self.settings, step == self.settings.steps, False
    score, save = last or due(step, s.evaluate_every), last or leave or due(step, s.save_every)
    if not (score or save):
      return False
    self.settle(state)
    self.clock.stop()
    if score:
      program = self.program
      scores = heldout(program.model, state.params | program.frozen, self.source, program.place, self.scored, s.length)
      self.write(step, 'heldout', **scores)
      enough = reached(scores, s.enough)
    if save or enough:
      self.run.sync()
      self.checkpoints.save(step, state)
      if last or leave or enough:
        self.checkpoints.wait()
        self.shown.say(f'Saved step {step}.')
    return enough

  def settle(self, state) -> None:
    """Writes what the last step measured; stops where too many updates in a row were not finite."""
    if self.waiting is None:
      return
    (step, measured, batch, size), self.waiting = self.waiting, None
    measured = {name: float(value) for name, value in jax.device_get(measured).items()}
    in_row, s = int(measured.pop('skipped_in_row')), self.settings
    bits = measured['loss'] / math.log(2)
    tokens = step * s.rows * s.length
    rate = self.clock.rate(tokens)
    # A step that may turn out to be the last is told of, before it is known whether it is.
    last = step == s.steps or s.enough and due(step, s.evaluate_every)
    if step == 1 or last or due(step, s.log_every) or in_row:
      self.write(step, 'train', **measured | dict(
          skipped=int(measured['skipped']), bits=bits, tokens=tokens, seconds=self.clock.seconds, tokens_per_s=rate))
    self.shown(step, bits / size if math.isfinite(bits) else None, rate)
    if in_row > s.skips_allowed:
      raise NonFinite(
          f'{in_row} updates in a row were not finite (train.skips_allowed={s.skips_allowed}). At step {step} the '
          f'first to be so was {self.program.culprit(state, batch)}. A lower train.learning_rate or train.clip may '
          f'help; checkpoints in {self.run.checkpoints} are good.')


def heldout(model, params, source, place: Placement, scored: Evaluate, length: int) -> dict:
  """Held-out scores; `length` where the settings leave it open."""
  return evaluate.heldout(model, params, source, place, scored.rows, scored.length or length, scored.batches)


def reached(scores: dict, enough: float) -> bool:
  """Whether the accuracy of held-out scores is enough; never where that is 0."""
  return enough > 0 and (scores['accuracy'] or 0) >= enough


def due(step: int, every: int) -> bool:
  """Whether something that comes every so many steps comes at this one; 0 is never."""
  return every > 0 and step % every == 0


def bytes_per_token(batch: dict) -> float:
  """Bytes that a scored token of this process's rows stands for; 1 where tokens are bytes or no text."""
  if 'bytes_BT' not in batch:
    return 1.0
  weights_BT = batch['weights_BT']
  return float((batch['bytes_BT'] * weights_BT).sum() / max(weights_BT.sum(), 1)) or 1.0


def unit_of(source) -> str:
  """What the progress counts bits of."""
  return 'bits/byte' if source.describe()['kind'] == 'corpus' else 'bits/answer'


def _clock(run: records.Run) -> meter.Clock:
  """Goes on from the seconds that the run has on record."""
  lines = run.metrics('train')
  return meter.Clock(lines[-1]['seconds'] if lines else 0.0)
