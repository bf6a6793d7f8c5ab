"""Fitted laws of several groups of runs, side by side: a record, its text and its figure."""

import itertools

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
import numpy as np

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.study import figures, scaling

NUMBERS = ('parameters', 'tokens', 'loss', 'flops')
# A share of the least loss; an E below it cannot be told from 0, which is where its search ends.
SURELY = 1e-3
# Token counts that are named along an axis, at most.
TICKS = 5
COLOURS = ('#0b62a4', '#d1600a', '#5c8a3a', '#8a5c9e')


def point(run: records.Run, by: str) -> dict | None:
  """What a fit needs of a run, None where it has not ended.

  Raises InputError for a run whose files do not belong together, and for one without the field `by`.
  """
  result, config = run.result, run.config
  if result is None:
    return None
  asked = config['train']['steps'] * config['train']['rows'] * config['train']['length']
  if config['train'].get('enough') and result['tokens'] < asked:
    raise InputError(f'{run.path} ended by train.enough={config["train"]["enough"]} after {result["tokens"]:,} of '
                     f'{asked:,} tokens; a law is of runs that made all their steps.')
  if result['tokens'] != asked or result['seed'] != config['seed']:
    raise InputError(f'{run.path} was edited: its result.json tells of {result["tokens"]:,} tokens and seed '
                     f'{result["seed"]}, its config.json of {asked:,} and {config["seed"]}.')
  group = config
  for name in by.split('.'):
    if not isinstance(group, dict) or name not in group:
      raise InputError(f'{run.path} has no field {by!r} in its config.json.')
    group = group[name]
  held = result['heldout']
  measure = next((name for name in ('bits_per_byte', 'loss') if held.get(name) is not None), None)
  if measure is None:
    raise InputError(f'{run.path} has neither bits_per_byte nor loss among its held-out scores: {list(held)}.')
  return dict(group=str(group), name=run.path.name, parameters=result['parameters'], tokens=result['tokens'],
              flops=result['flops'], loss=held[measure], seconds=result['seconds'],
              of=f'{measure} of the data {result["data"]["fingerprint"][:12]}')


def report(points: list[dict], draws: int = 200) -> dict:
  """Laws with intervals by group, and the groups at equal compute. Raises InputError where runs determine no law."""
  groups, scales = {}, {each['of']: each['name'] for each in points}
  if len(scales) > 1:
    shown = ', '.join(f'{name} has {scale}' for scale, name in scales.items())
    raise InputError(f'Only runs with the same loss on the same data can be compared: {shown}.')
  for name in dict.fromkeys(each['group'] for each in points):
    mine = [each for each in points if each['group'] == name]
    n, d, loss, flops = (np.array([each[key] for each in mine], float) for key in NUMBERS)
    try:
      law = scaling.fit(n, d, loss)
    except InputError as error:
      raise InputError(f'{name!r}: {error}') from error
    groups[name] = dict(
      law=law._asdict(), intervals=scaling.intervals(scaling.bootstrap(law, n, d, loss, draws)), runs=len(mine),
      k=float(np.median(flops / (n * d))), off=float(np.std(np.log(loss / law.loss(n, d)))),
      budgets=[float(flops.min()), float(flops.max())], sizes=[float(n.min()), float(n.max())],
      lengths=[float(d.min()), float(d.max())],
      undetermined=([] if law.E > SURELY * loss.min() else ['E']) + law.undetermined(),
      same_budget=scaling.same_budget(n, flops, loss))
  return dict(points=points, groups=groups, compared=compared(groups))


def compared(groups: dict, count: int = 4) -> list[dict]:
  """The least loss of each group at budgets that all of them span, and how it is best split.

  `inside` says whether it lies between the sizes and the tokens of runs, or the law is trusted beyond them.
  """
  least = max(group['budgets'][0] for group in groups.values())
  most = min(group['budgets'][1] for group in groups.values())
  rows = []
  for budget in np.geomspace(least, most, count) if least < most else ():
    for name, group in groups.items():
      law = scaling.Law(**group['law'])
      n, d = law.best(budget, group['k'])
      rows.append(dict(flops=float(budget), group=name, parameters=float(n), tokens=float(d),
                       loss=float(law.loss(n, d)),
                       inside=_between(n, group['sizes']) and _between(d, group['lengths'])))
  return rows


def _between(value, ends) -> bool:
  return bool(ends[0] <= value <= ends[1])


def text(found: dict) -> str:
  """The report in words."""
  lines = []
  for name, group in found['groups'].items():
    shown = ', '.join(f'{key} {group["law"][key]:.4g} ({low:.4g} to {high:.4g})'
                      for key, (low, high) in group['intervals'].items())
    lines += [f'{name}: {group["runs"]} runs, {group["k"]:.1f} operations a parameter and token, off by '
              f'{group["off"]:.2%}', f'  L = E + A / N^alpha + B / D^beta: {shown} (95 %)']
    if group['undetermined']:
      lines.append(f'  these runs do not determine {" and ".join(group["undetermined"])}, which ended at a bound '
                   'of the search: more sizes and token counts, or runs further apart, would')
    lines += [f'  of {each["runs"]} runs of {each["flops"]:.2e} operations the best has {each["parameters"]:,.0f} '
              'parameters' for each in group['same_budget']]
  if found['compared']:
    lines.append('at equal compute, each with its best split:')
    lines += [f'  {row["flops"]:.2e} operations  {row["group"]:12} loss {row["loss"]:.4f}  with '
              f'{row["parameters"]:,.0f} parameters and {row["tokens"]:,.0f} tokens'
              + ('' if row['inside'] else ', which is beyond the runs') for row in found['compared']]
  elif len(found['groups']) > 1:
    lines.append('no budget is spanned by all groups, so that they cannot be compared at equal compute')
  return '\n'.join(lines)


def draw(found: dict) -> Figure:
  """Loss over tokens by size, and over operations, with the laws."""
  names = list(found['groups'])
  with figures.styled():
    figure, (row,) = figures.blank(columns=len(names) + 1, height=3.4)
    for axes, name in zip(row, names):
      _over_tokens(axes, name, found)
    for colour, name in zip(itertools.cycle(COLOURS), names):
      group = found['groups'][name]
      law, budgets = scaling.Law(**group['law']), np.geomspace(*group['budgets'], 60)
      mine = [each for each in found['points'] if each['group'] == name]
      row[-1].plot([each['flops'] for each in mine], [each['loss'] for each in mine], '.', color=colour, markersize=5)
      row[-1].plot(budgets, law.frontier(budgets, group['k']), color=colour, label=name)
    row[-1].set(title='at equal compute', xlabel='operations', xscale='log')
    row[-1].legend()
    row[0].set_ylabel('held-out loss')
  return figure


def _over_tokens(axes, name, found):
  law = scaling.Law(**found['groups'][name]['law'])
  mine = [each for each in found['points'] if each['group'] == name]
  sizes = sorted({each['parameters'] for each in mine})
  for i, size in enumerate(sizes):
    d, loss = zip(*sorted((each['tokens'], each['loss']) for each in mine if each['parameters'] == size))
    colour = figures.SURPRISE(0.35 + 0.6 * i / max(len(sizes) - 1, 1))
    line = np.geomspace(d[0], d[-1], 40)
    axes.plot(line, law.loss(size, line), color=colour, label=f'{size:,.0f}')
    axes.plot(d, loss, 'o', color=colour, markersize=4)
  axes.set(title=name, xlabel='tokens', xscale='log')
  budgets = sorted({each['tokens'] for each in mine})
  if len(budgets) <= TICKS:
    axes.set_xticks(budgets, [f'{d:.1e}' for d in budgets])
  # Numbers between powers of ten would stand in one another.
  axes.xaxis.set_minor_formatter(NullFormatter())
  axes.legend(title='parameters', fontsize=7, title_fontsize=7)
