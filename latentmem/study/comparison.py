"""A comparison's report: its table and figures, the slots of its first run that has any, and the way to each run.

`write(folder, ...)` writes report.html, which needs nothing but itself, and a PNG for each figure.
"""

import pathlib

from matplotlib.figure import Figure

from latentmem.base import records
from latentmem.study import figures, page, report, slots


def write(folder: pathlib.Path, text: str, drawn: dict[str, tuple[str, Figure]], runs: list[str]) -> pathlib.Path:
  """Writes the page and its figures, each whole. Returns the page's path.

  Args:
    folder: Of the comparison.
    text: Its table.
    drawn: {name: (caption, figure)}.
    runs: Names of the run folders in it that the table is of.

  Raises InputError where what a run left cannot be read, or the disk is full.
  """
  images = {name: (caption, figures.png(figure)) for name, (caption, figure) in drawn.items()}
  for name, (_, image) in images.items():
    records.write_whole(folder / f'{name}.png', image)
  path = folder / 'report.html'
  records.write_whole(path, page.compared(
      name=folder.resolve().name, text=text, drawn=images, slots=_slots(folder, runs),
      runs=[run for run in runs if (folder / run / 'report.html').exists()]))
  return path


def _slots(folder, runs):
  """The first run with slots and their figures; None where there is none."""
  told = next((run for run in runs if (folder / run / 'slots.json').exists()), None)
  return told and (told, report.pictures(slots.wanted(records.read_json(folder / told / 'slots.json')))[0])
