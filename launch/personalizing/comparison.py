"""One run of an arm, what the base scores by itself, and the table of both."""

import functools
import pathlib

import jax

from latentmem.base import records, sharding
from latentmem.personal import counts
from latentmem.personal.model import BASE
from latentmem.study import figures, personal, report
from latentmem.train import placement, results
from launch import comparing, parts
from launch.personalizing import looks, scores, told


def one(path: pathlib.Path, arm, seed: int, base, preemption, asks=scores) -> bool:
  """Trains and scores one run, or goes on with it. False where it was asked to leave before its end.

  Args: asks: Who asks the memories: the module `scores` asks generated persons, `told` about conversations.
  """
  run = results.begin(path, arm.config | dict(seed=seed), arm.source, parts.filled)
  if (run.path / 'answers.json').exists():
    return True
  layout = arm.model.layout
  frozen = {BASE: jax.device_put(base.params, sharding.shardings(base.params, layout, arm.place.mesh))}
  params = comparing.trained(run, arm, seed, preemption, frozen)
  if params is None:
    return False
  params = jax.device_put(placement.whole(params), arm.place.everywhere)
  found = asks.own_and_swapped(arm, params, frozen)
  looks.write(run, arm, params, frozen, functools.partial(asks.spoken, arm.source), asks.examples(arm.source))
  report.write(run.path)
  own, shared = counts.numbers(arm.config['personal'], base.fields)
  prompt = counts.prompt_tokens(arm.config['personal'], base.fields)
  run.write('answers.json', dict(
      found, numbers=own, shared=shared, prompt=prompt, kv_bytes=counts.kv_bytes(base.fields, prompt),
      base=dict(before=base.fingerprint, after=base.check())))
  return True


def history(base, source, tokens: int) -> dict:
  """Scores of the base alone with so many tokens of history."""
  print(f'The base reads {tokens} tokens of history', flush=True)
  return scores.with_history(base, source, tokens) | dict(
      kv_bytes=counts.kv_bytes(base.fields, tokens), base=base.check())


def tell(folder: pathlib.Path, names: list[str], base) -> str:
  """Writes the table of all runs in a folder, and returns its text."""
  found = comparing.pages(folder, names)
  whole = sorted((records.read_json(path) for path in folder.glob('history-*.json')), key=lambda each: each['history'])
  rows = [personal.summary(name, runs) for name, runs in found.items()] + list(map(personal.of_history, whole))
  sizes = counts.at_sizes_of_qwen3()
  text = '\n'.join([personal.table(rows), personal.sizes(sizes)])
  comparing.keep(folder, dict(rows=rows, runs=found, histories=whole, sizes=sizes,
                              base=dict(folder=base.folder, fingerprint=base.fingerprint)), text,
                 personal.draw(rows, folder.name))
  if any(each['history'] for each in whole):
    records.write_whole(folder / 'lengths.png', figures.png(personal.by_length(rows, folder.name)))
  return text


def tell_of_conversations(folder: pathlib.Path, names: list[str], base) -> str:
  """Writes the table of all runs about conversations in a folder, and returns its text."""
  found = comparing.pages(folder, names)
  alone = sorted((records.read_json(path) for path in folder.glob('turns-*.json')), key=lambda each: each['turns'])
  rows = [personal.summary(name, runs) for name, runs in found.items()]
  rows += [personal.of_base(f'BM25, {each["turns"]} turns' if each['turns'] else 'question alone', each)
           for each in alone]
  text = personal.table(rows, told.notes(alone[0]))
  comparing.keep(folder, dict(rows=rows, runs=found, alone=alone, base=dict(folder=base.folder,
                                                                          fingerprint=base.fingerprint)),
                 text, personal.draw(rows, folder.name, alone[0]['chance']))
  return text
