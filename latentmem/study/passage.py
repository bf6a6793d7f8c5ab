"""A passage of text and how much each layer of memory was surprised by each of its tokens.

`passage` is what a run's passage.json holds: pieces (a string a token) and surprise_before [layers][tokens].
L layers, T tokens. Layers differ in scale, so each is shown as a share of its own 98th percentile.
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
  """(share_LT between 0 and 1, top_L): each layer as a share of its own 98th percentile."""
  top_L = np.nanpercentile(np.where(np.isfinite(surprise), surprise, np.nan), 98, axis=1)
  top_L = np.where(np.isfinite(top_L) & (top_L > 0), top_L, 1.0)
  return np.clip(np.nan_to_num(surprise / top_L[:, None], nan=0.0, posinf=1.0), 0, 1), top_L


def glyph(piece: str) -> str:
  """What stands for a piece in a cell of the figure."""
  one = SHOWN.get(piece, piece)
  return one if len(one) == 1 and one.isprintable() else '·'


@figures.styled()
def heat_map(passage: dict, across: int = 100, lines: int = 12) -> Figure:
  """Surprise of each layer over a passage, its characters written along the axis; the first `lines` lines of cells."""
  share_LT, top_L = scale(surprise_LT(passage))
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
  tops = ', '.join(f'{t:.3g}' for t in top_L[:6]) + (', ...' if layers > 6 else '')
  bar = figure.colorbar(shades, ax=ax, orientation='horizontal', location='bottom', aspect=60, shrink=0.55, pad=0.02,
                        ticks=[0, 0.5, 1])
  bar.set_label(f'share of the layer\'s 98th percentile ({tops})', fontsize=8)
  bar.outline.set_visible(False)
  return figure


def coloured(passage: dict) -> str:
  """The passage as HTML, each token on the shade of its surprise: one view for each layer, chosen by buttons."""
  share_LT, top_L = scale(surprise_LT(passage))
  raw_LT = surprise_LT(passage)
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
