"""What passes between two models compared: right answers with a row's own slots, another's, and none, and the bits.

A run is an answers.json of `launch.share`: scores `own`, `shuffled`, `zeroed`; `bits`; and, where agents saw halves,
`bank`, shares of right answers over a bank.
"""

from matplotlib.figure import Figure

from latentmem.study import columns, figures
from latentmem.study.reasoning import wilson

SENT = dict(own='own slots', shuffled="another row's", zeroed='none')
SHARE = '{:.1%}'
COLUMNS = dict(arm='{}', right=SHARE, least=SHARE, most=SHARE, seeds='{}', worst=SHARE, best=SHARE, shuffled=SHARE,
               zeroed=SHARE, chance=SHARE, bits='{:,}')
CAPTION = ("Right answers of each arm, with a row's own slots, with another row's and with none; bars from the "
           'worst to the best seed.')

NOTES = '''right, least, most: share of right answers and its 95 % interval (Wilson), as if all seeds were one model
worst, best: of seeds; shuffled: with the slots of another row; zeroed: with none; chance: whatever the rule
bits: what passes from one model to the other, of a row'''


def summary(arm: str, runs: list[dict]) -> dict:
  """One line of the table, of an arm's runs."""
  shares = [run['own']['accuracy'] for run in runs]
  of = sum(run['own']['tokens'] for run in runs)
  mean = lambda values: sum(values) / len(values)
  right = mean(shares)
  least, most = wilson(round(right * of), of)
  kinds = [name for name in runs[0]['own'] if name.startswith('accuracy_')]
  by_type = {name.removeprefix('accuracy_'): {
      sent: mean([run[sent][name] for run in runs]) for sent in SENT} for name in kinds}
  bank = [run['bank'] for run in runs if 'bank' in run]
  return dict(arm=arm, right=right, least=least, most=most, seeds=len(runs), worst=min(shares), best=max(shares),
              shuffled=mean([run['shuffled']['accuracy'] for run in runs]),
              zeroed=mean([run['zeroed']['accuracy'] for run in runs]), chance=runs[0]['own']['chance'],
              bits=runs[0]['bits'], asked=of, by_type=by_type,
              bank={name: mean([each[name] for each in bank]) for name in ('half', 'merged', 'newest')} if bank else {})


def table(rows: list[dict]) -> str:
  """Text with a line an arm, one an arm and type of question, and what agents answer over a bank."""
  lines = columns.laid([list(COLUMNS)] + [[form.format(row[name]) for name, form in COLUMNS.items()] for row in rows])
  kinds = [['right by type', *(row['arm'] for row in rows)]]
  for kind in rows[0]['by_type']:
    kinds.append([kind, *(SHARE.format(row['by_type'][kind]['own']) for row in rows)])
  banks = [f'{row["arm"]}, over a bank: {row["bank"]["half"]:.1%} when one of two has written, '
           f'{row["bank"]["merged"]:.1%} when both are merged, {row["bank"]["newest"]:.1%} when the newest took the '
           'place of the other' for row in rows if row['bank']]
  return '\n'.join([*lines, '', *columns.laid(kinds), '', *banks, NOTES])


def draw(rows: list[dict], title: str) -> Figure:
  """Right answers of each arm: with its own slots, another row's, and none."""
  with figures.styled():
    figure = Figure(figsize=(7.6, 4.0), layout='constrained')
    axes = figure.subplots()
    spread = [[row['right'] - row['worst'] for row in rows], [row['best'] - row['right'] for row in rows]]
    for (sent, label), shift in zip(SENT.items(), (-0.15, 0, 0.15)):
      shares = [row['right' if sent == 'own' else sent] for row in rows]
      axes.errorbar([i + shift for i in range(len(rows))], shares, yerr=spread if sent == 'own' else None, fmt='o',
                    capsize=3, markersize=5, label=label)
    axes.axhline(rows[0]['chance'], color='0.6', linewidth=1, linestyle=':', label='chance')
    axes.set_xticks(range(len(rows)), [f'{row["arm"]}\n{row["bits"]:,} bits' for row in rows])
    axes.set(ylabel='share of right answers', title=title, ylim=(0, 1.03))
    axes.yaxis.set_major_formatter('{x:.0%}')
    figure.legend(title='what arrives', loc='outside right upper')
  return figure
