"""One run of an arm, what the base scores by itself, and the table of both."""

import functools
import pathlib

import jax

from latentmem.base import records, sharding
from latentmem.base.errors import InputError
from latentmem.personal import counts
from latentmem.personal.model import BASE
from latentmem.study import personal, report, said
from latentmem.train import placement, results
from launch import comparing, parts
from launch.personalizing import looks, measuring, saying, scores, told
from launch.personalizing.histories import Read

SAID = 'said.json'


def one(path: pathlib.Path, arm, seed: int, base, preemption, asks=scores, say: int = 0) -> bool:
  """Trains and scores one run, or goes on with it. False where it was asked to leave before its end.

  Args:
    asks: Who asks the memories: the module `scores` in the words of generated persons, `told` in text.
    say: Tokens of the answers that are said to questions about conversations too; 0 for none.
  """
  run = results.begin(path, arm.config | dict(seed=seed), arm.source, parts.filled)
  has_chosen = (run.path / 'answers.json').exists()
  has_said = not say or _longest(run.path / SAID) == say
  if has_chosen and has_said:
    return True
  layout = arm.model.layout
  frozen = {BASE: jax.device_put(base.params, sharding.shardings(base.params, layout, arm.place.mesh))}
  params = comparing.trained(run, arm, seed, preemption, frozen, measuring.prepare(arm, seed, frozen))
  if params is None:
    return False
  params = jax.device_put(placement.whole(params), arm.place.everywhere)
  if not has_chosen:
    _choose(run, arm, params, frozen, base, asks)
  if not has_said:
    run.write(SAID, saying.own_and_swapped(arm, params, frozen, say) | dict(base=base.check()))
  return True


def _longest(path: pathlib.Path) -> int:
  """Tokens that the answers of a page might have; 0 where there is none."""
  return records.read_json(path)['longest'] if path.exists() else 0


def _choose(run, arm, params, frozen, base, asks) -> None:
  """Writes what a memory scores and looks like: answers.json last."""
  found = asks.own_and_swapped(arm, params, frozen)
  looks.write(run, arm, params, frozen, functools.partial(asks.spoken, arm.source), asks.examples(arm.source))
  report.write(run.path)
  own, shared = counts.numbers(arm.config['personal'], base.fields)
  prompt = counts.prompt_tokens(arm.config['personal'], base.fields)
  run.write('answers.json', dict(
      found, numbers=own, shared=shared, prompt=prompt, kv_bytes=counts.kv_bytes(base.fields, prompt),
      base=dict(before=base.fingerprint, after=base.check())))


def kept(path: pathlib.Path, base, source, score) -> dict:
  """What the base scores by itself: as a page holds it that was written of this base and these data, or anew."""
  if path.exists():
    found = records.read_json(path)
    if (found.get('base'), found.get('data')) == (base.fingerprint, source.fingerprint):
      return found
  found = score() | dict(base=base.check(), data=source.fingerprint)
  records.write_json(path, found)
  return found


def _found(folder: pathlib.Path, names: list[str], seeds: range, base) -> dict[str, list[dict]]:
  """The answers of these runs. Raises InputError where some are of another base."""
  found = comparing.pages(folder, names, seeds)
  others = {run['base']['before'] for runs in found.values() for run in runs} - {base.fingerprint}
  if others:
    raise InputError(f'Runs in {folder} are of another base ({", ".join(each[:16] for each in sorted(others))}, not '
                     f'{base.fingerprint[:16]}); give this one another --workdir.')
  return found


def history(base, source, read: Read, asks=scores) -> dict:
  """Scores of the base alone with a history. Args: asks: As `one` has it."""
  of = f', of {personal.counted(read.people)}' if read.people else ''
  print(f'The base reads {read.tokens} tokens of history{of}', flush=True)
  found = asks.with_history(base, source, read)
  return found | dict(people=read.people, kv_bytes=counts.kv_bytes(base.fields, read.tokens))


def turns(base, source, count: int) -> dict:
  """Scores of the base alone behind so many turns that BM25 finds."""
  print(f'The base reads {count} turns before each question', flush=True)
  found = told.with_text(base, source, count)
  return found | dict(kv_bytes=counts.kv_bytes(base.fields, round(found['text'])))


def spoken(base, source, count: int, longest: int) -> dict:
  """Scores of what the base alone says behind so many turns that BM25 finds."""
  print(f'The base answers behind {count} turns', flush=True)
  return saying.with_text(base, source, count, longest)


def tell(folder: pathlib.Path, names: list[str], seeds: range, whole: list[dict], base) -> str:
  """Writes the table of these runs in a folder, and of the base with histories, and returns its text."""
  found = _found(folder, names, seeds, base)
  rows = [personal.summary(name, runs) for name, runs in found.items()] + list(map(personal.of_history, whole))
  sizes = counts.at_sizes_of_qwen3()
  text = '\n'.join([personal.table(rows), personal.sizes(sizes)])
  drawn = dict(table=(personal.CAPTION, personal.draw(rows, folder.name)))
  if any(each['history'] for each in whole):
    drawn['lengths'] = (personal.CAPTION_OF_LENGTHS, personal.by_length(rows, folder.name))
  comparing.keep(folder, dict(rows=rows, runs=found, histories=whole, sizes=sizes,
                              base=dict(folder=base.folder, fingerprint=base.fingerprint)), text, drawn,
                 comparing.runs(folder, names, seeds))
  return text


def tell_of_conversations(folder: pathlib.Path, names: list[str], seeds: range, alone: list[dict], base,
                          words: list[dict] = ()) -> str:
  """Writes the table of these runs about conversations, and of the base alone, and returns its text.

  Args: words: What the base alone says, as `spoken` gives it; where there is any, what memories say is told too.
  """
  found = _found(folder, names, seeds, base)
  rows = [personal.summary(name, runs) for name, runs in found.items()]
  named = lambda each: f'BM25, {each["turns"]} turns' if each['turns'] else 'question alone'
  rows += [personal.of_base(named(each), each) for each in alone]
  text = personal.table(rows, told.notes(alone[0]))
  record = dict(rows=rows, runs=found, alone=alone, base=dict(folder=base.folder, fingerprint=base.fingerprint))
  drawn = dict(table=(personal.CAPTION, personal.draw(rows, folder.name, alone[0]['chance'])))
  if words:
    scored = said.together(comparing.pages(folder, names, seeds, SAID), {named(each): each for each in words})
    record['said'], text = scored, '\n'.join([text, '', said.table(scored)])
    drawn['said'] = (said.CAPTION, said.draw(scored, folder.name))
  comparing.keep(folder, record, text, drawn, comparing.runs(folder, names, seeds))
  return text
