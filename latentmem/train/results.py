"""The first and the last page of a run's folder: what it was begun with, what it came to."""

import json
import os

import jax
import numpy as np

from latentmem.base import naming, records
from latentmem.base.errors import InputError
from latentmem.train import meter
from latentmem.train.placement import meet


def begin(path: os.PathLike | str, config: dict, source, filled=dict) -> records.Run:
  """A run's folder with config.json and data.json, new or as it was left.

  Args: filled: As `records.create` takes it.

  Raises InputError where the folder holds a run with another config, or one that read other data, and where processes
  that shall train together have other configs or data.
  """
  described = records.plain(source.describe())
  _agree(dict(workdir=os.fspath(path), config=records.plain(config), data=dict(fingerprint=described['fingerprint'])))
  run = records.create(path, config, filled) if jax.process_index() == 0 else records.Run(path)
  meet('begin')
  before = run.path / 'data.json'
  if not before.exists():
    if jax.process_index() == 0:
      run.write(before.name, described)
  elif (was := records.read_json(before)['fingerprint']) != described['fingerprint']:
    now = described['fingerprint']
    raise InputError(f'{run.path} was trained on other data (fingerprint {was[:12]}, now {now[:12]}; see {before}). '
                     'Give another --workdir, or the data it had.')
  return run


def _agree(mine: dict) -> None:
  """Raises InputError in every process, where one has not what the first has."""
  if jax.process_count() == 1:
    return
  first, *others = _gathered(mine)
  for number, other in enumerate(others, 1):
    differing = [f'{name} is {there!r}, not {here!r}' for name, here, there in records.differences(first, other)]
    if differing:
      raise InputError(f'process {number} of {1 + len(others)} differs from process 0: {"; ".join(differing[:5])}. '
                       'All have to be given the same.')


def _gathered(mine: dict) -> list[dict]:
  """What every process gave, in the order of the processes."""
  from jax.experimental import multihost_utils
  text = np.frombuffer(json.dumps(mine).encode(), np.uint8)
  sizes = np.asarray(multihost_utils.process_allgather(np.array(len(text))))
  texts = np.asarray(multihost_utils.process_allgather(np.pad(text, (0, sizes.max() - len(text)))))
  return [json.loads(text[:size].tobytes()) for text, size in zip(texts, sizes)]


def finish(run: records.Run, trained, source) -> dict:
  """Writes result.json of a run whose steps are all made, and returns it."""
  lines, scores = run.metrics('train'), run.metrics('heldout')[-1]
  last = lines[-1]
  rows, steps = run.config['train']['rows'], last['step']
  rates = [line['tokens_per_s'] for line in lines if line['tokens_per_s']]
  result = dict(
      heldout={k: v for k, v in scores.items() if k not in ('step', 'split')},
      train=dict(loss=last['loss'], bits=last['bits'], skipped=last['skipped']),
      steps=steps, tokens=last['tokens'], seconds=last['seconds'],
      tokens_per_s=float(np.median(rates)) if rates else None,
      flops_per_step=trained.flops, flops=trained.flops * steps,
      peak_memory=meter.peak_memory(), **meter.sizes(trained.state, rows),
      seed=run.config['seed'], data=records.plain(source.describe()), versions=records.versions(),
      commit=records.commit(), machine=records.machine(jax.devices()))
  run.write('result.json', result)
  return result


def told(result: dict) -> str:
  """The result in a few lines, for the person who waited."""
  heldout = result['heldout']
  lines = []
  if heldout.get('bits_per_byte') is not None:
    lines.append(f'held-out bits per byte  {heldout["bits_per_byte"]:.4f}')
    lines += [f'  at {where:>10}  {bits:.4f}' for where, bits in heldout['by_position'].items() if bits is not None]
  if heldout.get('accuracy') is not None:
    lines.append(f'held-out accuracy  {heldout["accuracy"]:.2%} of answers')
  rate = result['tokens_per_s']
  lines.append(f'{result["parameters"]:,} parameters, {result["tokens"]:,} tokens, {result["seconds"]:.0f} s'
               + (f', {rate:,.0f} tokens/s' if rate else ''))
  return '\n'.join(lines)


def below(run: records.Run, settings, trained) -> str:
  """What there is to tell of a run that made all its steps and was never `settings.enough`; '' of any other."""
  if not settings.enough or trained.enough:
    return ''
  return f'{run.path} made all its {settings.steps} steps and stayed below train.enough={settings.enough}.'


def evaluated(run: records.Run, step: int, overrides: list[tuple[str, str]], scores: dict, source) -> dict:
  """Writes evaluations/<step>[-field=value ...].json, and returns what it holds."""
  result = records.plain(dict(
      step=step, overrides=dict(overrides), heldout=scores, data=source.describe(), versions=records.versions(),
      commit=records.commit(), machine=records.machine(jax.devices())))
  name = '-'.join([f'step={step}'] + [f'{field}={value}' for field, value in overrides])
  run.write(f'evaluations/{naming.file_name(name)}.json', result)
  return result
