"""The figures of bench records, by suite."""

import statistics

from matplotlib import ticker
from matplotlib.figure import Figure

from latentmem.study import figures

DASHES = {'latentmem': '-', 'titans-pytorch': '--'}
COLOURS = ('#0b62a4', '#d1600a', '#5c8a3a', '#8a5c9e')


def draw(record: dict) -> Figure:
  """A record of `launch.bench`."""
  return SUITES[record['suite']](record)


def memory(record: dict) -> Figure:
  """Seconds and peak memory over length, a line for each who and chunk."""
  rows = [row for row in record['rows'] if 'failed' not in row]
  chunks = sorted({row['chunk'] for row in rows})
  with figures.styled():
    figure = Figure(figsize=(11, 3.9), layout='constrained')
    panels = [('forward', 'Forward', 'seconds', lambda r: min(r['seconds'])),
              ('train', 'Forward and backward', 'seconds', lambda r: min(r['seconds'])),
              ('train', 'Peak memory of a training step', 'GB', lambda r: r['peak']['host'] / 1e9)]
    for axes, (what, title, unit, value) in zip(figure.subplots(1, 3), panels):
      for who, dashes in DASHES.items():
        for colour, chunk in zip(COLOURS, chunks):
          mine = [r for r in rows if (r['who'], r['what'], r['chunk']) == (who, what, chunk)]
          line = sorted((r['length'], value(r)) for r in mine)
          if line:
            axes.plot(*zip(*line), dashes, color=colour, marker='o', markersize=3, label=f'{who}, chunk {chunk}')
      axes.set(title=title, xlabel='tokens', ylabel=unit, xscale='log', yscale='log')
      lengths = sorted({row['length'] for row in rows if row['what'] != 'decode'})
      axes.set_xticks(lengths, [f'{n // 1024}K' if n >= 1024 else str(n) for n in lengths])
      axes.minorticks_off()
      axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter('{x:g}')
    labels = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    figure.legend(labels.values(), labels, loc='outside lower center', ncols=3, handlelength=3, fontsize=8)
  return figure


def recurrence(record: dict) -> Figure:
  """Seconds of tokens all at once and one after another."""
  return beside(record, 'seconds, forward and backward', many='all at once', in_turn='one after another')


def thinking(record: dict) -> Figure:
  """Seconds of thoughts and answers against a carry and without."""
  return beside(record, 'seconds', cached='against a carry', uncached='everything again')


def bank(record: dict) -> Figure:
  """Seconds of putting and getting a state, and of its bytes."""
  return beside(record, 'seconds', 'numbers', raw='bytes alone', bank='bank')


def storage(record: dict) -> Figure:
  """Bits a byte of the continuation over the share of the bytes, a panel for each length."""
  rows = record['rows']
  lengths = sorted({row['length'] for row in rows})
  with figures.styled():
    figure = Figure(figsize=(5.5 * len(lengths), 3.4), layout='constrained')
    for axes, length in zip(figure.subplots(1, len(lengths), squeeze=False)[0], lengths):
      mine = [row for row in rows if row['length'] == length]
      for colour, what in zip(COLOURS, ('memory', 'carry')):
        line = [(row['bytes'] / row['of'], row['bits_per_byte'], row['storage']) for row in mine
                if row['what'] == what and 'bytes' in row]
        axes.plot([x for x, *_ in line], [y for _, y, _ in line], 'o', color=colour, label=f'{what} stored so',
                  markersize=7 if what == 'memory' else 4)
      for x, y, name in line:
        if name != 'float32':
          axes.annotate(name, (x, y), textcoords='offset points', xytext=(0, 7), ha='center', fontsize=8)
      for row in mine:
        if 'bytes' not in row:
          axes.axhline(row['bits_per_byte'], color='0.5', linestyle=':', label=f'carry {row["storage"]}')
      axes.set(title=f'after {length // 2} tokens', xlabel='share of the bytes', ylabel='bits a byte', xlim=(0, 1.1))
      axes.margins(y=0.2)
      axes.legend(fontsize=8)
  return figure


def sessions(record: dict) -> Figure:
  """Tokens a second of all sessions together over their number, beside one alone and as many times that."""
  rows = sorted(record['rows'], key=lambda row: row['length'])
  sizes = [row['length'] for row in rows]
  rate = lambda row, name: 1 / statistics.median(row['seconds'][name])
  with figures.styled():
    figure = Figure(figsize=(5, 3.4), layout='constrained')
    axes = figure.subplots()
    axes.plot(sizes, [rate(row, 'batched') for row in rows], marker='o', label='in one batch', color=COLOURS[0])
    axes.plot(sizes, [rate(row, 'alone') for row in rows], linestyle='--', marker='s', markersize=4,
              label='one alone', color=COLOURS[1])
    axes.set(title='Live sessions generating', xlabel='sessions', ylabel='tokens a second', xscale='log', yscale='log')
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.legend()
  return figure


def beside(record: dict, unit: str, over: str = 'tokens', **forms: str) -> Figure:
  """Seconds over length, a panel for each thing measured and a line for each form."""
  with figures.styled():
    whats = {row['what']: row for row in record['rows']}
    figure = Figure(figsize=(max(5, 10 / 3 * len(whats)), 3.2), layout='constrained')
    for axes, what in zip(figure.subplots(1, len(whats), sharey=True, squeeze=False)[0], whats):
      rows = sorted((row for row in record['rows'] if row['what'] == what), key=lambda row: row['length'])
      for form, label in forms.items():
        axes.plot([row['length'] for row in rows], [min(row['seconds'][form]) for row in rows], marker='o',
                  markersize=3, label=label)
      axes.set(title=what, xlabel=over, xscale='log', yscale='log')
    figure.axes[0].set_ylabel(unit)
    figure.axes[0].legend()
  return figure


def qwen3(record: dict) -> Figure:
  """What passes until the first tokens, and memory, beside what they may take."""
  with figures.styled():
    figure = Figure(figsize=(9, 3.2), layout='constrained')
    seconds, memory = figure.subplots(1, 2)
    steps = dict(imported='imported', loaded='weights loaded', first_token='first token', second_token='second token')
    held = dict(before='before loading', after_loading='weights loaded', peak='peak')
    for row in record['rows']:
      label = f'prompt of {row["length"]} tokens'
      seconds.plot(list(steps.values()), [row[name] for name in steps], marker='o', label=label)
      memory.plot(list(held.values()), [row[name] / row['weights'] for name in held], marker='o', label=label)
    for axes, most in ((seconds, record['limit']['seconds']), (memory, record['limit']['memory'])):
      axes.axhline(most, color='#777777', linestyle='--', linewidth=1, label='allowed')
      axes.set_ylim(bottom=0)
    seconds.set(title='Since the process began', ylabel='seconds')
    memory.set(title='Memory of the process', ylabel='times the weights')
    seconds.legend()
  return figure


def absorb(record: dict) -> Figure:
  """What people's memories know before and after new turns were written, and the seconds that took."""
  whats = {}
  for row in record['rows']:
    whats.setdefault(f'{row["length"]:,} {row["what"]}', []).append(row)
  with figures.styled():
    figure = Figure(figsize=(9, 3.4), layout='constrained')
    known, seconds = figure.subplots(1, 2)
    for i, rows in enumerate(whats.values()):
      for colour, part in zip(COLOURS, ('old', 'new')):
        shares = [[row[f'{part}_{when}'] for row in rows] for when in ('before', 'after')]
        lines = known.plot([2 * i, 2 * i + 1], shares, 'o-', color=colour, alpha=0.6)
        lines[0].set_label(f'{part} facts' if i == 0 else None)
      seconds.plot([i] * len(rows), [row['seconds'] for row in rows], 'o', color=COLOURS[0])
    known.set_xticks(range(2 * len(whats)), ['before', 'after'] * len(whats))
    known.set(ylabel='share of right answers', ylim=(0, 1.02), title='   |   '.join(whats))
    known.yaxis.set_major_formatter('{x:.0%}')
    known.legend(fontsize=8)
    seconds.set_xticks(range(len(whats)), list(whats))
    seconds.set(ylabel='seconds', ylim=(0, None), xlim=(-0.5, len(whats) - 0.5), title='Writing, a dot a person')
  return figure


def transformers(record: dict) -> Figure:
  """How far logits are from a peer's, in float32 and in bfloat16, by shape."""
  rows = record['rows']
  series = {'float32': [row['off'] for row in rows], 'float32, largest': [row['largest'] for row in rows],
            'bfloat16': [row['bfloat16']['ours'] for row in rows],
            'bfloat16, transformers': [row['bfloat16']['theirs'] for row in rows]}
  with figures.styled():
    figure = Figure(figsize=(6, 3.4), layout='constrained')
    axes = figure.subplots()
    for colour, marker, (label, values) in zip(COLOURS, 'osv^', series.items()):
      axes.plot([row['what'] for row in rows], values, marker, color=colour, label=label)
    axes.axhline(record['limit'], color='#777777', linestyle='--', linewidth=1, label='allowed in float32')
    axes.set(title="Qwen3's logits beside transformers' in float32", ylabel='relative error', yscale='log')
    axes.legend(fontsize=8)
  return figure


SUITES = dict(memory=memory, recurrence=recurrence, thinking=thinking, qwen3=qwen3, bank=bank, storage=storage,
              sessions=sessions, absorb=absorb, transformers=transformers)
