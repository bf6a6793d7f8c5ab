"""A config's dicts to the things that they name. Settings stop here."""

import os
from typing import NamedTuple

import jax

from latentmem import data, model, train
from latentmem.base import sharding
from latentmem.base.errors import check_known, InputError
from latentmem.data import pipeline
from latentmem.tasks import chains, scenes
from latentmem.train.placement import Placement


class Parts(NamedTuple):
  """What a config names. `config` has every field, those that follow from the data included."""

  config: dict
  source: object
  model: object
  train: train.Train
  evaluate: train.Evaluate
  place: Placement


def build(config: dict) -> Parts:
  """Builds all parts.

  Raises InputError for fields that do not exist or do not fit together, and for a corpus that cannot be read.
  """
  known = ('seed', 'mesh', 'model', 'data', 'train', 'evaluate', 'reason')
  for name in config:
    check_known(name, known, 'A config', 'part')
  pipeline.check_seed(config['seed'])
  whole = filled(config)
  source = data.make(whole['data'])
  whole['model'] = with_vocab(whole['model'], source)
  settings = train.build(train.Train, whole['train']), train.build(train.Evaluate, whole['evaluate'])
  _check_rows(whole['model'], source, settings[0].length, settings[1].length)
  check_mesh(config['mesh'])
  place = Placement(mesh(**config['mesh'], rows=settings[0].rows))
  return Parts(whole, source, model.make(**whole['model']), *settings, place)


def filled(config: dict) -> dict:
  """A config whose parts have every field, those it leaves out at their defaults.

  Raises InputError for a field that does not exist.
  """
  return dict(config, data=data.fields(config['data']), model=model.fields(**config['model']),
              train=train.fields(**config['train']), evaluate=train.evaluate_fields(**config['evaluate']))


def _check_rows(fields: dict, source, length: int, heldout_length: int) -> None:
  """Rows of question, thoughts and rest are for models that read them whole, and those read nothing else."""
  thinks, asks = fields['kind'] == 'latent', source.asks
  if fields['kind'] == 'sharing':
    _check_scene(fields, asks, length, heldout_length)
    return
  if thinks != isinstance(asks, chains.Chains):
    raise InputError(f"The model 'latent' reads rows of question, thoughts and rest, and no other model does; this is "
                     f'the model {fields["kind"]!r} with the task {type(asks).__module__.rpartition(".")[2]!r}.')
  if not thinks:
    return
  for name in ('question', 'thoughts'):
    if fields[name] != getattr(asks, name):
      raise InputError(f'model.{name}={fields[name]} does not fit the task, whose rows have {getattr(asks, name)}.')
  for name, found in (('train', length), ('evaluate', heldout_length or asks.length)):
    if found != asks.length:
      raise InputError(f'{name}.length={found} does not fit the task, whose rows have {asks.length} tokens.')
  mixer = fields['compose']
  if mixer['kind'] == 'attention' and mixer['window'] < asks.length:
    raise InputError(f'model.compose.window={mixer["window"]} does not see how a row of {asks.length} tokens begins; '
                     f'window={asks.length} does.')


def _check_scene(fields: dict, asks, length: int, heldout_length: int) -> None:
  """A pair that shares slots reads rows that begin with a scene, each of them whole."""
  if not isinstance(asks, scenes.Scenes):
    raise InputError(f"The model 'sharing' reads rows of the task 'scenes'; this is the task "
                     f'{type(asks).__module__.rpartition(".")[2]!r}.')
  if fields['scene'] != asks.scene:
    raise InputError(f'model.scene={fields["scene"]} does not fit the task, whose scenes have {asks.scene} tokens.')
  for name, found in (('train', length), ('evaluate', heldout_length or asks.length)):
    if found != asks.length:
      raise InputError(f'{name}.length={found} does not fit the task, whose rows have {asks.length} tokens.')


def with_vocab(fields: dict, source) -> dict:
  """A model's fields with the vocabulary of its data, where the config leaves it open (0)."""
  vocab = fields['vocab'] or source.vocab
  if vocab < source.vocab:
    raise InputError(f'model.vocab={vocab} is too small for the data, which have {source.vocab} tokens; '
                     'model.vocab=0 takes what the data need.')
  return dict(fields, vocab=vocab)


def check_mesh(sizes: dict) -> None:
  """Raises InputError for an axis that no mesh has."""
  for name in sizes:
    check_known(name, sharding.AXES, 'mesh', 'field')


def mesh(data: int = 1, fsdp: int = -1, tensor: int = 1, sequence: int = 1, rows: int = 0) -> jax.sharding.Mesh:
  """The devices as a mesh; data or fsdp may be -1, which takes as many as are left and can share the rows evenly."""
  _cores_as_devices()
  sizes = mesh_sizes(data, fsdp, tensor, sequence, rows=rows, devices=len(jax.devices()))
  made = sharding.make_mesh(*sizes, jax.devices())
  if jax.process_count() > 1 and made.size < len(jax.devices()):
    raise InputError(f'A mesh of {made.size} devices leaves out some of the {len(jax.devices())} that '
                     f'{jax.process_count()} processes have; mesh.fsdp=-1 takes all, with rows a multiple of them.')
  return made


def mesh_sizes(data: int = 1, fsdp: int = -1, tensor: int = 1, sequence: int = 1, *, rows: int,
               devices: int) -> tuple[int, ...]:
  """The sizes of a mesh's axes with -1 filled in. Raises InputError for two of them."""
  if data == fsdp == -1:
    raise InputError('mesh.data and mesh.fsdp are both -1; one of them must say how many.')
  if -1 in (data, fsdp):
    others = max(1, -data * fsdp)
    most = devices // max(1, others * tensor * sequence)
    left = max((n for n in range(1, most + 1) if rows % (n * others) == 0), default=1)
    data, fsdp = (left if size == -1 else size for size in (data, fsdp))
  return data, fsdp, tensor, sequence


def _cores_as_devices():
  """Without an accelerator, every core is a device: small products do not fill two, rows shared among them do."""
  if jax.config.jax_num_cpu_devices in (None, -1) and 'xla_force_host_platform_device_count' not in os.environ.get(
      'XLA_FLAGS', ''):
    try:
      jax.config.update('jax_num_cpu_devices', len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else
                        os.cpu_count())
    except RuntimeError:
      return  # The devices were counted before; they stay as they are.
