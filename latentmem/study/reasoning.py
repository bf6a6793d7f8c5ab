"""Arms compared: how often each is right, and what an answer costs, as a table and as a figure.

Costs are of one answer, after the question was read ("after") and with it ("whole"); operations are counted from the
program, passes are forward passes that wait for each other.
"""

import math

from matplotlib.figure import Figure

from latentmem.study import columns, figures

SHARE, COUNT, COST = '{:.1%}', '{:.1f}', '{:,.2f}'
COLUMNS = dict(arm='{}', right=SHARE, least=SHARE, most=SHARE, seeds='{}', worst=SHARE, best=SHARE, said=COUNT,
               passes=COUNT, after=COST, whole=COST, ms=COST)

CAPTION = 'Right answers over operations after the question, with 95 % intervals; dotted, rules without thoughts.'

NOTES = '''right, least, most: share of right answers and its 95 % interval (Wilson), as if all seeds were one model
worst, best: of seeds
said: tokens; passes: those that wait for each other; after, whole: million operations, after the question and with it
ms: an answer, in a batch'''


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
  """The interval of a share, 95 % by default (Wilson 1927)."""
  share, wide = right / of, z * z / of
  middle, half = share + wide / 2, z * math.sqrt(share * (1 - share) / of + wide / (4 * of))
  # Rounding must not put the share outside.
  return min((middle - half) / (1 + wide), share), max((middle + half) / (1 + wide), share)


def summary(arm: str, runs: list[dict]) -> dict:
  """One line of the table, of an arm's runs: each the `answers.json` of a run folder."""
  right, of = (sum(run[name] for run in runs) for name in ('right', 'problems'))
  least, most = wilson(right, of)
  shares = [run['right'] / run['problems'] for run in runs]
  mean = lambda name: sum(run[name] for run in runs) / len(runs)
  return dict(arm=arm, right=right / of, least=least, most=most, seeds=len(runs), worst=min(shares), best=max(shares),
              said=mean('said'), passes=mean('passes'), after=mean('flops_after') / 1e6, whole=mean('flops') / 1e6,
              ms=1e3 * mean('seconds'), problems=of, stilled=sum(run['stilled'] for run in runs),
              cut=sum(run['cut'] for run in runs), left_out=runs[0].get('left_out', 0))


def table(rows: list[dict], rules: dict[str, float]) -> str:
  """Text with a line an arm, and the scores of rules that do not think."""
  lines = [list(COLUMNS)] + [[form.format(row[name]) for name, form in COLUMNS.items()] for row in rows]
  text = columns.laid(lines)
  rules = [f'the rule {name!r}: {score:.1%} right' for name, score in rules.items()]
  braked = [f'{row["arm"]}: of {row["problems"]} answers {row["stilled"]} came after thoughts that stood still, and '
            f'{row["cut"]} were cut off' for row in rows if row['stilled'] or row['cut']]
  short = [f'{row["arm"]}: {row["left_out"]} held-out problems were left out, for they do not fit its rows'
           for row in rows if row['left_out']]
  return '\n'.join([*text, *rules, *braked, *short, NOTES])


def knock_outs(found: dict[str, list[list[dict]]]) -> list[str]:
  """A line for each arm that was left without parts: right answers without each, of all its seeds together."""
  lines = []
  for arm, runs in found.items():
    shares = []
    for lack in zip(*runs):
      share = sum(each['right'] for each in lack) / sum(each['problems'] for each in lack)
      shares.append(f'{share:.1%} ' + (f'no {lack[0]["without"]}' if lack[0]['without'] else
                                       f'written until thought {lack[0]["write_until"]}'))
    if shares:
      lines.append(f'{arm}, left without parts: ' + ', '.join(shares))
  return lines


def draw(rows: list[dict], rules: dict[str, float], title: str) -> Figure:
  """Right answers over what they cost after the question."""
  with figures.styled():
    figure = Figure(figsize=(6.4, 4.0), layout='constrained')
    axes = figure.subplots()
    for i, row in enumerate(sorted(rows, key=lambda row: row['after'])):
      spread = [[row['right'] - row['least']], [row['most'] - row['right']]]
      point = axes.errorbar(row['after'], row['right'], yerr=spread, fmt='o', capsize=3, markersize=5)
      # Names of neighbours would lie on one another.
      axes.annotate(row['arm'], (row['after'], row['right']), xytext=(6, -12 if i % 2 else 4),
                    textcoords='offset points', color=point[0].get_color())
    for name, score in rules.items():
      axes.axhline(score, color='0.6', linewidth=1, linestyle=':')
      axes.annotate(name, (1, score), xycoords=('axes fraction', 'data'), ha='right', va='bottom', color='0.4')
    axes.set(xlabel='million operations an answer, after the question', ylabel='share of right answers', title=title,
             xlim=(0, 1.15 * max(row['after'] for row in rows)))
    axes.yaxis.set_major_formatter('{x:.0%}')
  return figure
