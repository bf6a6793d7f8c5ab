"""A passage of text and how much each layer of memory was surprised by each of its tokens.

`passage` is what a run's passage.json holds: pieces (a string a token) and surprise_before [layers][tokens].
L layers, T tokens. Layers differ in scale, so each is shown between its own 2nd and 98th percentile.
"""

import html

import matplotlib
from matplotlib.figure import Figure
import numpy as np

from latentmem.study import figures

CAPTION = ('Surprise of each layer before each token is written, over a held-out passage. '
           'Bright where the memory already knew, dark where it did not.')
SHOWN = {'\n': '↵', '\t': '→', '\r': '␍', ' ': ' '}


def surprise_LT(passage: dict | None) -> np.ndarray:
  """The passage's surprise before writing. Raises Absent where there is none, or where it does not fit the pieces."""
  if not passage or not passage.get('surprise_before') or not passage.get('pieces'):
    raise figures.Absent('no passage with its surprise was recorded')
  rows = [[np.nan if v is None else v for v in row] for row in passage['surprise_before']]
  if {len(row) for row in rows} != {len(passage['pieces'])}:
    raise figures.Absent(f'the passage has {len(passage["pieces"])} pieces but '
                         f'{sorted({len(row) for row in rows})} surprises a layer')
  return np.array(rows, float)


def scale(surprise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(share_LT, ends_L2): each layer from 0 at its 2nd percentile to 1 at its 98th, and where these lie."""
  finite = [row[np.isfinite(row)] for row in surprise]
  ends_L2 = np.array([np.percentile(row, [2, 98]) if len(row) else (0.0, 1.0) for row in finite])
  low_L1, span_L1 = ends_L2[:, :1], np.diff(ends_L2)
  share_LT = np.nan_to_num((surprise - low_L1) / np.where(span_L1 > 0, span_L1, 1.0), nan=0.0, posinf=1.0, neginf=0.0)
  return np.clip(share_LT, 0, 1), ends_L2


def glyph(piece: str) -> str:
  """What stands for a piece in a cell of the figure."""
  one = SHOWN.get(piece, piece)
  return one if len(one) == 1 and one.isprintable() else '·'


@figures.styled()
def heat_map(passage: dict, across: int = 100, lines: int = 12) -> Figure:
  """Surprise of each layer over a passage, its characters written along the axis; the first `lines` lines of cells."""
  share_LT, ends_L2 = scale(surprise_LT(passage))
  layers, length = share_LT.shape
  lines = min(lines, -(-length // across))
  block = layers * 0.62 + 1.6
  figure, ((ax,),) = figures.blank(width=9.4, height=0.85 + 0.17 * block * lines)
  for line in range(lines):
    cells_LX = share_LT[:, line * across:(line + 1) * across]
    top, wide = line * block, cells_LX.shape[1]
    ax.imshow(cells_LX, cmap=figures.SURPRISE, vmin=0, vmax=1, aspect='auto', interpolation='nearest',
              extent=(0, wide, top + 1.2 + 0.62 * layers, top + 1.2))
    for x, piece in enumerate(passage['pieces'][line * across:line * across + wide]):
      ax.text(x + 0.5, top + 0.98, glyph(piece), family='monospace', fontsize=7, ha='center', va='baseline',
              color=figures.SOFT if piece in SHOWN else figures.INK, parse_math=False)
  ax.set(xlim=(0, across), ylim=(lines * block, 0), title='Surprise before writing',
         xlabel=f'token in its line of {across}; rows under each line: layers, first on top')
  ax.set_yticks([i * block + 0.85 for i in range(lines)], [f'{i * across:,}' for i in range(lines)])
  ax.set_ylabel('token')
  ax.grid(False)
  ax.spines[:].set_visible(False)
  ax.tick_params(length=0)
  shades = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), figures.SURPRISE)
  ends = ', '.join(f'{low:.3g} to {high:.3g}' for low, high in ends_L2[:4]) + (', ...' if layers > 4 else '')
  bar = figure.colorbar(shades, ax=ax, orientation='horizontal', location='bottom', aspect=60, shrink=0.55, pad=0.02,
                        ticks=[])
  bar.set_label(f'each layer from its 2nd to its 98th percentile ({ends})', fontsize=8)
  bar.outline.set_visible(False)
  return figure


def coloured(passage: dict) -> str:
  """The passage as HTML, each token on the shade of its surprise: one view for each layer, chosen by buttons."""
  raw_LT = surprise_LT(passage)
  share_LT, _ = scale(raw_LT)
  layers = len(share_LT)
  buttons, views = [], []
  for layer in range(layers):
    chosen = ' checked' if layer == layers - 1 else ''
    buttons.append(f'<input type="radio" name="layer" id="layer{layer}"{chosen}>'
                   f'<label for="layer{layer}">layer {layer}</label>')
    spans = ''.join(_span(*each) for each in zip(passage['pieces'], share_LT[layer], raw_LT[layer]))
    views.append(f'<pre class="passage" id="view{layer}">{spans}</pre>')
  rules = ''.join(f'#layer{i}:checked~#view{i}{{display:block}}' for i in range(layers))
  return f'<style>{rules}</style><div class="layers">{"".join(buttons)}{"".join(views)}</div>'


def shade(share: float) -> str:
  """The colour behind a token; lighter than the figure's, so that text stays easy to read on the darkest."""
  return matplotlib.colors.to_hex(figures.SURPRISE(0.62 * share))


def _span(piece: str, share: float, value: float) -> str:
  text = html.escape(SHOWN['\n'] + '\n' if piece == '\n' else piece)
  return f'<span style="background:{shade(share)}" title="{value:.4g}">{text}</span>'
