"""Every field of training and of evaluation, with its default: what a config records."""

import dataclasses
import re

from latentmem.base.errors import check_known, InputError
from latentmem.train import optim


@dataclasses.dataclass(frozen=True)
class Train:
  """How a model is trained.

  Attributes:
    start: Run folder whose last parameters training begins with, all else being new, or a Hugging Face folder of the
      same Qwen3; '' begins with new ones.
    steps: Updates of the parameters.
    enough: Held-out accuracy, asked every `evaluate_every` steps, with which training ends before all are made; 0 for
      none. The learning rate does not fall for it. launch.train tells a run that stayed below by its exit code.
    rows: B, sequences in a batch, over all devices.
    length: T, tokens of a row in a batch; rows go on from batch to batch.
    learning_rate: At its highest.
    schedule: 'cosine', 'linear', 'constant' or 'wsd' (see optim.schedule).
    warmup: Updates over which the learning rate rises.
    final: Learning rate at the end, as a share of the highest.
    decay: Share of the steps over which 'wsd' falls.
    weight_decay: Of AdamW.
    undecayed: Parameters whose path matches this pattern do not decay.
    beta1, beta2, epsilon: Of AdamW.
    clip: Highest global norm of the gradient; 0 for no limit.
    accumulate: Parts that a batch is read in, one after another, to save memory. The update is the same.
    z_loss: Weight of the squared log-partition.
    skips_allowed: Updates in a row that may be skipped because they are not finite.
    log_every, telemetry_every, evaluate_every, save_every: Steps between them; 0 for never (saved at the end anyway).
    keep: Last checkpoints that are kept, at least 2.
    keep_every: Checkpoints at multiples of it are kept for good; 0 for none.
    tensorboard: Writes TensorBoard files into the run's folder.
    wandb: Project of Weights & Biases that receives the metrics; '' for none.
    profile_from, profile_steps: First step, and number of steps, of which the run's folder gets a profile; a run that
      goes on behind that step begins with it at once.
  """

  start: str = ''
  steps: int = 1000
  enough: float = 0.0
  rows: int = 8
  length: int = 512
  learning_rate: float = 1e-3
  schedule: str = 'cosine'
  warmup: int = 50
  final: float = 0.1
  decay: float = 0.2
  weight_decay: float = 0.1
  undecayed: str = 'bias|scale|gain|norm|embed|persistent|conv|pause'
  beta1: float = 0.9
  beta2: float = 0.95
  epsilon: float = 1e-8
  clip: float = 1.0
  accumulate: int = 1
  z_loss: float = 0.0
  skips_allowed: int = 10
  log_every: int = 1
  telemetry_every: int = 50
  evaluate_every: int = 0
  save_every: int = 500
  keep: int = 2
  keep_every: int = 0
  tensorboard: bool = False
  wandb: str = ''
  profile_from: int = 2
  profile_steps: int = 0

  def __post_init__(self):
    at_least(self, 1, 'steps', 'rows', 'length', 'accumulate', 'log_every')
    # The one before goes only once the latest has proved good.
    at_least(self, 2, 'keep')
    at_least(self, 0, 'enough', 'learning_rate', 'warmup', 'weight_decay', 'clip', 'z_loss', 'skips_allowed',
             'telemetry_every', 'evaluate_every', 'save_every', 'keep_every', 'profile_from', 'profile_steps', 'final',
             'decay', 'beta1', 'beta2')
    for name in ('enough', 'final', 'decay'):
      if getattr(self, name) > 1:
        raise InputError(f'{name}={getattr(self, name)} is a share; it must be at most 1.')
    for name in ('beta1', 'beta2'):
      if getattr(self, name) >= 1:
        raise InputError(f'{name}={getattr(self, name)} must be below 1.')
    if self.enough and not self.evaluate_every:
      raise InputError(f'enough={self.enough} is asked of held-out scores; it needs evaluate_every above 0.')
    if self.rows % self.accumulate:
      raise InputError(f'accumulate={self.accumulate} does not divide rows={self.rows}.')
    optim.schedule(self.schedule, self.learning_rate, self.steps, self.warmup)
    try:
      re.compile(self.undecayed)
    except re.error as error:
      raise InputError(f'undecayed={self.undecayed!r} is no pattern: {error}.') from None


@dataclasses.dataclass(frozen=True)
class Evaluate:
  """How a model is scored on what was held out.

  Attributes:
    rows: B, sequences read at once.
    length: T, tokens read at once; a document goes on from batch to batch. 0 for the length of training.
    batches: Most batches that are read; 0 for all there are.
  """

  rows: int = 8
  length: int = 0
  batches: int = 0

  def __post_init__(self):
    at_least(self, 1, 'rows')
    at_least(self, 0, 'length', 'batches')


def at_least(settings, least: float, *names: str) -> None:
  """Raises InputError where a field is below `least`."""
  for name in names:
    if getattr(settings, name) < least:
      raise InputError(f'{name}={getattr(settings, name)} is too small; it must be at least {least}.')


def build(kind: type, chosen: dict):
  """`Train` or `Evaluate` from the fields that were chosen. Raises InputError for an unknown one."""
  known = [f.name for f in dataclasses.fields(kind)]
  for name in chosen:
    check_known(name, known, kind.__name__.lower(), 'field')
  return kind(**chosen)


def train_fields(**chosen) -> dict:
  """All fields of training, at their defaults unless chosen."""
  return dataclasses.asdict(build(Train, chosen))


def evaluate_fields(**chosen) -> dict:
  """All fields of evaluation, at their defaults unless chosen."""
  return dataclasses.asdict(build(Evaluate, chosen))
