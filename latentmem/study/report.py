"""One run's report: a page that needs nothing but itself, and the figures beside it.

`write(workdir)` reads config.json, metrics.jsonl, result.json, passage.json, slots.json and sample.txt, and writes
figures/*.png and report.html. What a run did not record is named and left out.
"""

import json
import os
import pathlib

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.study import figures, page, passage, slots


def write(workdir: os.PathLike | str) -> pathlib.Path:
  """Writes report.html and figures/*.png of a run, each whole. Returns the page's path.

  Raises InputError where `workdir` is no run folder, holds a file that cannot be read, or the disk is full.
  """
  run = records.read(workdir)
  metrics = {}
  for row in run.metrics():
    metrics.setdefault(row['split'], []).append(row)
  shown, told = _page(run.path / 'passage.json'), _page(run.path / 'slots.json')
  drawn, absent = draw(run, metrics, shown, told)
  return run.write('report.html', page.render(
      name=run.path.resolve().name, config=run.config, result=run.result, drawn=drawn, absent=absent, passage=shown,
      sample=_optional(run.path / 'sample.txt')))


def draw(run: records.Run, metrics: dict, shown: dict | None, told: dict | None = None) -> tuple[dict, dict]:
  """({name: (caption, png)}, {name: why it is absent}) of a run's figures, which are also written to figures/."""
  wanted = {name: (caption, lambda f=f: f(metrics)) for name, (f, caption) in figures.FIGURES.items()}
  wanted['passage'] = (passage.CAPTION, lambda: passage.heat_map(shown))
  wanted |= slots.wanted(told) if told else {}
  drawn, absent = pictures(wanted)
  for name, (_, image) in drawn.items():
    run.write(f'figures/{name}.png', image)
  return drawn, absent


def pictures(wanted: dict) -> tuple[dict, dict]:
  """{name: (caption, figure maker)} -> {name: (caption, png)} and {name: why it is absent}."""
  drawn, absent = {}, {}
  for name, (caption, make) in wanted.items():
    try:
      with figures.styled():
        drawn[name] = (caption, figures.png(make()))
    except figures.Absent as reason:
      absent[name] = str(reason)
  return drawn, absent


def _page(path: pathlib.Path):
  """What a JSON file holds; None where there is none."""
  text = _optional(path)
  try:
    return json.loads(text) if text else None
  except ValueError as error:
    raise InputError(f'{path} is not JSON ({error}).') from error


def _optional(path: pathlib.Path) -> str | None:
  return path.read_text(encoding='utf-8', errors='replace') if path.exists() else None
