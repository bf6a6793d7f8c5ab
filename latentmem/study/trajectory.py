"""A trajectory of thought over slots: which slots each step asked, whether it was kept, and what it wrote back.

S steps, N slots, H heads.
"""

from matplotlib.figure import Figure
import numpy as np

from latentmem.study import figures


def of_one(trajectory: dict, row: int = 0, token: int = -1, layer: int | None = None) -> dict:
  """What a memory's `think` returned, for one row and one token of the query: what `draw` takes.

  Of what a whole model or a session thought, whose records lie layer by layer, `layer` says which.

  Returns:
    weights [S, N] and gates [S], means over heads; written [S, N]; moved [S, N], how far each slot went at each step,
    as a share of its length; live [N].
  """
  if layer is not None:
    trajectory = {name: record[layer] for name, record in trajectory.items()}
  slots = np.asarray(trajectory['slots'], np.float64)[:, row]
  length_N = np.sqrt(np.sum(slots[:-1] ** 2, -1))
  moved_N = np.sqrt(np.sum(np.diff(slots, axis=0) ** 2, -1)) / np.maximum(length_N, 1e-12)
  return dict(weights=np.asarray(trajectory['weights'], np.float64)[:, row, token].mean(-2),
              gates=np.asarray(trajectory['gates'], np.float64)[:, row, token].mean(-1),
              written=np.asarray(trajectory['written'], np.float64)[:, row], moved=moved_N,
              live=np.asarray(trajectory['live'])[row])


def path(one: dict) -> list[tuple[int, float]]:
  """The slot that each step asked most, and its share."""
  return [(int(np.argmax(share_N)), float(np.max(share_N))) for share_N in one['weights']]


def draw(one: dict, names=None) -> Figure:
  """Steps downwards, slots to the right: what was retrieved, with the way from slot to slot; gates; what was written.

  Args:
    one: From `of_one`.
    names: Of slots, N; their numbers where None. Slots not in use are left out.
  """
  live = np.flatnonzero(one['live'])
  if not len(live):
    raise figures.Absent('no slot is in use, so there is nothing to think about.')
  names = [str(n) for n in live] if names is None else [str(names[n]) for n in live]
  steps = len(one['weights'])
  with figures.styled():
    figure = Figure(figsize=(min(2.6 + 0.42 * len(live), 14), 1.6 + 0.72 * steps), layout='constrained',
                    dpi=figures.DPI)
    read, kept, wrote = figure.subplots(1, 3, sharey=True, width_ratios=[len(live), 4, len(live)])
    for axes, name, colours, title in ((read, 'weights', 'Blues', 'retrieved'),
                                       (wrote, 'written', 'Oranges', 'written back')):
      axes.imshow(one[name][:, live], cmap=colours, vmin=0, vmax=1, aspect='auto')
      axes.set(title=title, xlabel='slot', xticks=range(len(live)))
      axes.set_xticklabels(names, fontsize=7, rotation=90 if max(map(len, names)) > 2 else 0)
      axes.grid(False)
    best = np.argmax(one['weights'][:, live], -1)
    read.plot(best, np.arange(steps), color=figures.ORANGE, marker='o', markersize=4)
    kept.barh(np.arange(steps), one['gates'], color=figures.BLUE, height=0.5)
    kept.set(title='kept', xlim=(0, 1), xlabel='gate')
    read.set(yticks=range(steps), yticklabels=['rewriting', *(f'step {r}' for r in range(1, steps))])
    figure.suptitle('line: the slot asked most', fontsize=8)
  return figure
