"""Memories of persons compared: how often each is right, by question type, with whose memory, and what it costs."""

from matplotlib.figure import Figure

from latentmem.study import columns, figures
from latentmem.study.reasoning import wilson

CHANCE = 0.25
SHARE, WHOLE = '{:.1%}', '{:,}'
COLUMNS = dict(arm='{}', right=SHARE, least=SHARE, most=SHARE, swapped=SHARE, swapped_least=SHARE, swapped_most=SHARE,
               seeds='{}', numbers=WHOLE, shared=WHOLE, kv_bytes=WHOLE)

CAPTION = ("Right answers of each arm with its own memory and with another's, and 95 % intervals; what reads a "
           'text itself has no memory to swap.')
CAPTION_OF_LENGTHS = ('Right answers, and bytes of keys and values that stand before a question, over the length of a '
                      'history: of a base that reads it whole, and of memories, whose cost is the same at any length.')

NOTES = '''right, least, most: share of right answers and its 95 % interval (Wilson), as if all seeds were one model
swapped: the same questions with memories of another family; chance is 25 %
numbers: trained for each person; shared: trained or measured for all
kv_bytes: keys and values of what stands before a question'''


def summary(arm: str, runs: list[dict]) -> dict:
  """One line of the table, of an arm's runs: each the `answers.json` of a run folder."""
  first = runs[0]
  own, swapped = (_together([run[name] for run in runs]) for name in ('own', 'swapped'))
  return dict(arm=arm, **own, **{('swapped' if name == 'right' else f'swapped_{name}'): own_or_other
                                 for name, own_or_other in swapped.items()}, seeds=len(runs),
              numbers=first['numbers'], shared=first['shared'], kv_bytes=first['kv_bytes'])


def of_history(scores: dict) -> dict:
  """One line of the table, of a base that reads so much history itself."""
  name = f'history {scores["history"]}' if scores['history'] else 'question alone'
  name += f' of {counted(scores["people"])}' if scores.get('people') else ''
  return of_base(name, scores) | dict(history=scores['history'], people=scores.get('people', 0))


def counted(people: int) -> str:
  """'1 person' or '4 people'."""
  return f'{people} person' if people == 1 else f'{people} people'


def of_base(name: str, scores: dict) -> dict:
  """One line of the table, of a base by itself; none of what it reads is another's."""
  nobody = dict.fromkeys(('swapped', 'swapped_least', 'swapped_most', 'seeds'))
  return dict(arm=name, **_together([scores]), **nobody, swapped_by_type={}, numbers=0, shared=0,
              kv_bytes=scores['kv_bytes'])


def _together(scored: list[dict]) -> dict:
  """Shares and intervals of several scores of the same questions, in all and by type."""
  of = sum(each['tokens'] for each in scored)
  right = round(sum(each['accuracy'] * each['tokens'] for each in scored))
  kinds = {}
  for each in scored:
    for kind, part in each['by_type'].items():
      known = kinds.setdefault(kind, [0, 0])
      known[0] += round(part['accuracy'] * part['asked'])
      known[1] += part['asked']
  def share(right, of):
    least, most = wilson(right, of)
    # Rounding may put an end of the interval a little outside.
    return dict(right=right / of, least=max(least, 0.0), most=min(most, 1.0), asked=of)
  return share(right, of) | dict(by_type={kind: share(*counted) for kind, counted in kinds.items()})


def table(rows: list[dict], notes: str = NOTES) -> str:
  """Text with a line an arm, then one a question type, and notes."""
  shown = lambda row: [form.format(row[name]) if row[name] is not None else '' for name, form in COLUMNS.items()]
  kinds = sorted({kind for row in rows for kind in row['by_type']})
  by_type = [['right by type', *(row['arm'] for row in rows)]]
  for kind in kinds:
    cells = [row['by_type'].get(kind) for row in rows]
    by_type.append([kind, *('' if cell is None else f'{cell["right"]:.1%} [{cell["least"]:.0%} {cell["most"]:.0%}]'
                            for cell in cells)])
  return '\n'.join([*columns.laid([list(COLUMNS), *map(shown, rows)]), '', *columns.laid(by_type), '', notes])


def sizes(rows: list[dict]) -> str:
  """Text with a line a size of Qwen3: what lpm costs beside lora and beside a history that is read whole."""
  lines = [['at the size of', 'lpm numbers', 'lora r = 16', 'times fewer', 'lpm KV bytes',
            f'of {rows[0]["history"]:,} tokens', 'times fewer']]
  for row in rows:
    lines.append([row['base'], f'{row["lpm"]:,}', f'{row["lora"]:,}', f'{row["fewer"]:.0f}', f'{row["kv_lpm"]:,}',
                  f'{row["kv_history"]:,}', f'{row["less"]:.0f}'])
  return '\n'.join(['', *columns.laid(lines)])


def by_length(rows: list[dict], title: str) -> Figure:
  """Right answers, and bytes of keys and values, over tokens of history that a base reads; memories are lines."""
  whole = [row for row in rows if row.get('history')]
  with figures.styled():
    figure = Figure(figsize=(9.0, 3.6), layout='constrained')
    left, right = figure.subplots(1, 2)
    lengths = [row['history'] for row in whole]
    spread = [[row['right'] - row['least'] for row in whole], [row['most'] - row['right'] for row in whole]]
    left.errorbar(lengths, [row['right'] for row in whole], yerr=spread, fmt='o-', capsize=3, label='history is read')
    for row in whole:
      if row['people']:
        left.annotate(counted(row['people']), (row['history'], row['most']), xytext=(0, 4), ha='center',
                      textcoords='offset points', fontsize=8)
    right.plot(lengths, [row['kv_bytes'] for row in whole], 'o-', label='history is read')
    for i, row in enumerate([row for row in rows if 'history' not in row], 1):
      left.axhline(row['right'], color=f'C{i}', label=row['arm'])
      # What puts nothing before a question has no place on a scale of powers.
      if row['kv_bytes']:
        right.axhline(row['kv_bytes'], color=f'C{i}', label=row['arm'])
    left.axhline(CHANCE, color='0.6', linestyle=':', label='chance')
    left.set(xscale='log', ylim=(0, 1.02), xlabel='tokens of history', ylabel='share of right answers', title=title)
    left.yaxis.set_major_formatter('{x:.0%}')
    right.set(xscale='log', yscale='log', xlabel='tokens of history', ylabel='bytes of keys and values')
    read = sorted(set(lengths))
    for axes in (left, right):
      axes.set_xticks(read, [f'{tokens:,}' for tokens in read])
      axes.set_xticks([], minor=True)
    figure.legend(*left.get_legend_handles_labels(), loc='outside right upper', fontsize=8)
  return figure


def draw(rows: list[dict], title: str, chance: float = CHANCE) -> Figure:
  """Right answers of each arm, with its own memory and with another's."""
  with figures.styled():
    figure = Figure(figsize=(6.4, 4.0), layout='constrained')
    axes = figure.subplots()
    for name, low, high, label, shift in (('right', 'least', 'most', 'own memory', -0.1),
                                          ('swapped', 'swapped_least', 'swapped_most', "another's memory", 0.1)):
      held = [(i, row) for i, row in enumerate(rows) if row[name] is not None]
      if not held:
        continue
      spread = [[row[name] - row[low] for _, row in held], [row[high] - row[name] for _, row in held]]
      axes.errorbar([i + shift for i, _ in held], [row[name] for _, row in held], yerr=spread, fmt='o', capsize=3,
                    markersize=5, label=label)
    axes.axhline(chance, color='0.6', linewidth=1, linestyle=':')
    axes.annotate('chance', (1, chance), xycoords=('axes fraction', 'data'), ha='right', va='bottom', color='0.4')
    axes.set_xticks(range(len(rows)), [row['arm'].replace(' ', '\n') for row in rows])
    axes.set(ylabel='share of right answers', title=title, ylim=(0, 1.02))
    axes.yaxis.set_major_formatter('{x:.0%}')
    axes.legend()
  return figure
