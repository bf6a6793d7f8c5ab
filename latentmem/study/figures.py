"""Figures of one run, each a function from its measurements to a matplotlib figure.

`metrics` is {split: rows}, the lines of metrics.jsonl in order. A figure whose data are absent raises Absent, which
says what is missing. N records, L layers, H heads.

Colours tell layers apart by lightness as well as hue, so they survive colour blindness and grey print.
"""

import contextlib
import io

import matplotlib
from matplotlib import colors, ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np

DPI = 160
WIDEST = 9.4 * DPI
INK, SOFT, GRID = '#222222', '#767676', '#e4e4e4'
BLUE, ORANGE = '#0b62a4', '#d1600a'
STYLE = {
    'font.size': 10, 'axes.titlesize': 11, 'axes.labelsize': 10, 'axes.titleweight': 'bold',
    'axes.titlelocation': 'left', 'text.color': INK, 'axes.labelcolor': INK, 'axes.titlecolor': INK,
    'xtick.color': SOFT, 'ytick.color': SOFT, 'axes.edgecolor': SOFT, 'axes.linewidth': 0.6,
    'axes.spines.top': False, 'axes.spines.right': False, 'xtick.major.width': 0.6, 'ytick.major.width': 0.6,
    'axes.grid': True, 'grid.color': GRID, 'grid.linewidth': 0.6, 'axes.axisbelow': True, 'lines.linewidth': 1.5,
    'lines.solid_capstyle': 'round', 'legend.frameon': False, 'legend.fontsize': 9.5, 'figure.facecolor': 'white',
    'axes.formatter.use_mathtext': True,
}
SURPRISE = matplotlib.colormaps['YlOrBr']


class Absent(Exception):
  """The run holds no data for this figure."""


@contextlib.contextmanager
def styled():
  """The look of every figure here, for the length of a block or of a function."""
  with matplotlib.rc_context(STYLE):
    yield


def blank(columns: int = 1, rows: int = 1, width: float = 9.4, height: float = 3.0, **grid):
  """A figure and its axes [rows, columns]; `width` and `height` in inches."""
  figure = Figure(figsize=(width, height), layout='constrained', dpi=DPI)
  FigureCanvasAgg(figure)
  figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.04, hspace=0.06)
  return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def png(figure: Figure) -> bytes:
  """A figure as the bytes of a PNG, the same on every machine that draws it alike."""
  out = io.BytesIO()
  figure.savefig(out, format='png', dpi=DPI, metadata={'Software': None})
  return out.getvalue()


def column(rows: list[dict], name: str):
  """(steps, values) of the rows that hold `name`; Absent where none does."""
  kept = [(row['step'], row[name]) for row in rows if row.get(name) is not None]
  if not kept:
    raise Absent(f'no {name!r} was recorded')
  return np.array([s for s, _ in kept], float), np.array([v for _, v in kept], float)


def smooth(y: np.ndarray, width: int) -> np.ndarray:
  """Mean of each value and its neighbours, `width` (odd) in all and fewer at the ends; gaps (NaN) are passed over."""
  out = np.empty_like(y)
  for i in range(len(y)):
    near = y[max(0, i - width // 2):i + width // 2 + 1]
    near = near[np.isfinite(near)]
    out[i] = near.mean() if len(near) else np.nan
  return out


def steps_axis(ax):
  """Training steps along the bottom."""
  ax.set_xlabel('training step')
  ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
  ax.xaxis.set_major_formatter(ticker.StrMethodFormatter('{x:,.0f}'))
  ax.margins(x=0.01)


def log_axis(ax):
  """A logarithmic upright axis whose ticks read 0.02, not 2 x 10^-2, unless it spans many powers of ten."""
  ax.set_yscale('log')
  low, high = ax.get_ylim()
  if high / low > 1e3:
    return
  plain = ticker.FuncFormatter(lambda value, _: f'{value:g}')
  ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  ax.yaxis.set_major_formatter(plain)
  # Within a factor of two no tick above may fall inside.
  if high / low < 4:
    ax.yaxis.set_major_locator(ticker.MaxNLocator(5))
  ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def layer_colors(layers: int) -> list:
  """One colour a layer, first dark, last light."""
  return [matplotlib.colormaps['viridis'](0.1 + 0.7 * i / max(1, layers - 1)) for i in range(layers)]


def layer_key(figure, ax, palette, extra=()):
  """Names the layers: a legend for a few, a colour bar for many."""
  layers = len(palette)
  if layers <= 6:
    handles = [matplotlib.lines.Line2D([], [], color=c, label=f'layer {i}') for i, c in enumerate(palette)]
    figure.legend(handles=[*handles, *extra], loc='outside upper right', ncols=len(handles) + len(extra))
    return
  bar = matplotlib.cm.ScalarMappable(colors.Normalize(-0.5, layers - 0.5), colors.ListedColormap(palette))
  figure.colorbar(bar, ax=ax, label='layer', ticks=ticker.MaxNLocator(6, integer=True), aspect=30)
  if extra:
    figure.legend(handles=list(extra), loc='outside upper right', ncols=len(extra))


@styled()
def loss(metrics) -> Figure:
  """Bits per token in training, held-out bits per byte, and the size of the outer gradient."""
  train = metrics.get('train', [])
  steps, bits = column(train, 'bits')
  figure, (axes,) = blank(2, height=3.3, width_ratios=[1.7, 1])
  wide = 1 + 2 * (len(bits) // 80)
  over = f' (mean of {wide} records)' if wide > 1 else ''
  axes[0].plot(steps, bits, color=BLUE, alpha=0.22, lw=0.8)
  axes[0].plot(steps, smooth(bits, wide), color=BLUE, label=f'training, bits per token{over}')
  heldout = [r for r in metrics.get('heldout', []) if r.get('bits_per_byte') is not None]
  if heldout:
    axes[0].plot(*column(heldout, 'bits_per_byte'), color=ORANGE, marker='o', ms=4, label='held out, bits per byte')
  axes[0].set(title='Loss', ylabel='bits')
  # The first records, of a model that knows nothing, would flatten everything after.
  finite = bits[np.isfinite(bits)]
  if len(finite) > 20:
    axes[0].set_ylim(finite.min() - 0.15, min(finite.max(), 2.2 * np.median(finite)) + 0.1)
  axes[0].legend(loc='upper right')
  try:
    axes[1].plot(*column(train, 'grad_norm'), color=BLUE, lw=0.9)
    axes[1].set(title='Outer gradient', ylabel='norm before clipping')
    log_axis(axes[1])
  except Absent:
    axes[1].set_visible(False)
  for ax in axes:
    steps_axis(ax)
  return figure


def telemetry(metrics, name: str):
  """(steps, values_NLH) of one telemetry name."""
  rows = [r for r in metrics.get('telemetry', []) if r.get(name)]
  if not rows:
    raise Absent(f'no telemetry {name!r} was recorded')
  return np.array([r['step'] for r in rows]), np.array([r[name] for r in rows], float)


def _by_layer(ax, metrics, name):
  """Each layer's mean over heads as a line, the heads' extremes as a band."""
  steps, values_NLH = telemetry(metrics, name)
  palette = layer_colors(values_NLH.shape[1])
  for layer, color in enumerate(palette):
    heads_NH = values_NLH[:, layer]
    if len(palette) <= 6:
      ax.fill_between(steps, heads_NH.min(1), heads_NH.max(1), color=color, alpha=0.12, lw=0)
    ax.plot(steps, heads_NH.mean(1), color=color, marker='o' if len(steps) < 3 else None, ms=3)
  steps_axis(ax)
  return palette


def _panels(metrics, names: dict, height=3.2) -> Figure:
  """One panel for each of {telemetry name: (title, unit, logarithmic)} that was recorded."""
  there = [n for n in names if any(r.get(n) for r in metrics.get('telemetry', []))]
  if not there:
    raise Absent(f'no telemetry of {", ".join(map(repr, names))} was recorded')
  figure, (axes,) = blank(len(there), height=height)
  for ax, name in zip(axes, there):
    title, unit, logarithmic = names[name]
    palette = _by_layer(ax, metrics, name)
    ax.set(title=title, ylabel=unit)
    if logarithmic:
      log_axis(ax)
  layer_key(figure, axes, palette)
  return figure


@styled()
def gates(metrics) -> Figure:
  """Mean forgetting, momentum and step of each layer's memory over training."""
  return _panels(metrics, {
      'forget': ('Forgetting $a$', 'share forgotten per token', True),
      'momentum': ('Momentum $e$', 'share of past surprise kept', False),
      'step_size': ('Step $h$', 'inner learning rate', True)})


@styled()
def norms(metrics) -> Figure:
  """How far each layer's memory moved from where documents start, and how large its momentum is."""
  return _panels(metrics, {
      'norm_change': ('Distance from the start', r'$\|M - M_0\|$', False),
      'norm_momentum': ('Momentum held', r'$\|S\|$', False)})


@styled()
def surprise(metrics) -> Figure:
  """The inner loss of each layer, before and after the token is written, and what share of it writing leaves."""
  steps, before_NLH = telemetry(metrics, 'surprise_before')
  _, after_NLH = telemetry(metrics, 'surprise_after')
  figure, (axes,) = blank(2, height=3.4, width_ratios=[1.35, 1])
  palette = _by_layer(axes[0], metrics, 'surprise_before')
  for layer, color in enumerate(palette):
    axes[0].plot(steps, after_NLH[:, layer].mean(1), color=color, ls=(0, (2, 1.2)), lw=1.2)
    left_N = after_NLH[:, layer].mean(1) / np.maximum(before_NLH[:, layer].mean(1), 1e-12)
    axes[1].plot(steps, left_N, color=color)
  axes[0].set(title='Surprise', ylabel=r'inner loss $\frac{1}{2}\|f(k) - v\|^2$')
  axes[0].set_ylim(bottom=0)
  axes[1].set(title='What writing leaves of it', ylabel='after / before')
  axes[1].set_ylim(0, max(1.05, axes[1].get_ylim()[1]))
  axes[1].axhline(1, color=SOFT, lw=0.8)
  steps_axis(axes[1])
  style = [matplotlib.lines.Line2D([], [], color=INK, label='before writing'),
           matplotlib.lines.Line2D([], [], color=INK, ls=(0, (2, 1.2)), lw=1.2, label='after')]
  layer_key(figure, axes, palette, style)
  return figure


@styled()
def positions(metrics) -> Figure:
  """Held-out bits per byte by the token's position in its document, at the end and on the way."""
  rows = [r for r in metrics.get('heldout', []) if r.get('by_position')]
  if not rows:
    raise Absent("no 'by_position' was recorded for held-out documents")
  names = sorted(rows[-1]['by_position'], key=lambda n: int(n.split('-')[0]))
  figure, ((ax,),) = blank(width=7.0, height=3.4)
  shown = rows[-4:]
  for age, row in enumerate(reversed(shown)):
    there = [(i, row['by_position'][n]) for i, n in enumerate(names) if row['by_position'].get(n) is not None]
    x, y = zip(*there) if there else ((), ())
    last = age == 0
    ax.plot(x, y, color=BLUE if last else SOFT, alpha=1 if last else 0.55 - 0.12 * age, lw=1.8 if last else 1.0,
            marker='o', ms=5 if last else 2.5, zorder=3 if last else 2)
    if there:
      ax.annotate(f'step {row["step"]:,}', (x[-1], y[-1]), (7, 0), textcoords='offset points', va='center',
                  fontsize=9, color=BLUE if last else SOFT)
  for x, y in enumerate(rows[-1]['by_position'].get(n) for n in names):
    if y is not None:
      ax.annotate(f'{y:.3f}', (x, y), (0, -8), textcoords='offset points', ha='center', va='top', fontsize=9, color=INK)
  ax.set_xticks(range(len(names)), [f'{n[:-1]}+' if n.endswith('-') else n.replace('-', '–') for n in names])
  ax.set(title='Held out, by position', xlabel='position in the document (tokens)', ylabel='bits per byte')
  ax.margins(x=0.12, y=0.16)
  ax.grid(axis='x', visible=False)
  return figure


FIGURES = {
    'loss': (loss, 'Training loss, held-out bits per byte, and the norm of the gradient.'),
    'positions': (positions, 'Held-out bits per byte by position in the document. A memory that helps bends the line '
                             'down where the attention window has long passed.'),
    'surprise': (surprise, 'Surprise before and after each token is written, mean over tokens; bands span the heads.'),
    'gates': (gates, 'Mean gates of the memory; bands span the heads.'),
    'norms': (norms, 'Size of what the memory has learned within documents, and of its momentum.'),
}
