"""The figure of a plan: what fills a device's memory, and what a step waits for."""

from matplotlib.figure import Figure

from latentmem.study import figures

PARTS = ('parameters', 'optimizer', 'memories', 'batch', 'activations', 'program')
COLOURS = ('#0b62a4', '#5b9bd0', '#5c8a3a', '#b8b8b8', '#d1600a', '#8a5c9e')
WAITS = dict(compute='#0b62a4', memory='#d1600a', links='#5c8a3a')


def draw(record: dict) -> Figure:
  """A record of `launch.plan`: a bar a choice."""
  plans, room = record['plans'], record['topology']['chip']['memory'] / 2**30
  names = ['{data}x{fsdp}x{tensor} {remat}\nrows {rows}'.format(**plan['choice']) for plan in plans]
  with figures.styled():
    figure = Figure(figsize=(9.4, 2.4 + 0.5 * len(plans)), layout='constrained')
    held, waits = figure.subplots(1, 2, sharey=True)
    left = [0.0] * len(plans)
    for part, colour in zip(PARTS, COLOURS):
      sizes = [plan['held'].get(part, 0) / 2**30 for plan in plans]
      held.barh(names, sizes, left=left, color=colour, label=part)
      left = [a + b for a, b in zip(left, sizes)]
    held.axvline(room, color=figures.INK, linewidth=1, linestyle=':')
    held.set(title=f'memory of a device, {record["topology"]["name"]}', xlabel='GiB')
    held.invert_yaxis()
    for i, (wait, colour) in enumerate(WAITS.items()):
      places = [n + 0.27 * (i - 1) for n in range(len(plans))]
      waits.barh(places, [1e3 * plan['seconds'].get(wait, 0) for plan in plans], height=0.25, color=colour,
                 label=wait)
    waits.set(title='a step, by what it waits for', xlabel='ms')
    for axes, side in ((held, 'left'), (waits, 'right')):
      figure.legend(*axes.get_legend_handles_labels(), loc=f'outside lower {side}', ncols=3, fontsize=8)
  return figure
