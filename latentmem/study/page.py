"""The report's page: records and figures to one HTML text that refers to nothing outside itself."""

import base64
import html
import json
import struct
import urllib.parse

from latentmem.study import figures
from latentmem.study import passage as passages

# Where a headline stands in result.json, what it is, how it is written.
HEADLINES = (
    ('heldout.bits_per_byte', 'held-out bits per byte', '{:.3f}'),
    ('heldout.accuracy', 'held-out accuracy', '{:.1%}'),
    ('parameters', 'parameters', '{:,.0f}'),
    ('tokens', 'tokens read', '{:,.0f}'),
    ('seconds', 'seconds', '{:,.0f}'),
    ('tokens_per_s', 'tokens a second', '{:,.0f}'),
)
STYLE = '''
:root { color-scheme: light; --ink: #222; --soft: #6b6b6b; --line: #e2e2e2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.5rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.8rem 0 .8rem; padding-top: .9rem; border-top: 1px solid var(--line); }
p.what { color: var(--soft); margin: .4rem 0 0; }
.headlines { display: flex; flex-wrap: wrap; gap: 1rem 2.4rem; margin: 1.6rem 0 0; padding: 0; list-style: none; }
.headlines b { display: block; font-size: 1.5rem; font-weight: 600; line-height: 1.2; }
.headlines span { color: var(--soft); font-size: .85rem; }
figure { margin: 1.4rem 0 2rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption, .note { color: var(--soft); font-size: .9rem; margin-top: .3rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .22rem 1.6rem .22rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 400; color: var(--soft); }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
pre { font: .82rem/1.5 ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; background: #f7f7f5; padding: .9rem 1.1rem; border-radius: 4px; margin: .6rem 0; }
pre.sample { max-height: 34rem; overflow-y: auto; }
pre.table { white-space: pre; overflow-x: auto; }
pre.passage { background: none; padding: .4rem 0; display: none; line-height: 1.6; }
.layers input { position: absolute; opacity: 0; }
.layers label { display: inline-block; cursor: pointer; font-size: .85rem; padding: .1rem .7rem;
  margin: 0 .3rem .3rem 0; border: 1px solid var(--line); border-radius: 1rem; color: var(--soft); }
.layers input:checked + label { color: #fff; background: var(--ink); border-color: var(--ink); }
.layers input:focus-visible + label { outline: 2px solid #0b62a4; outline-offset: 1px; }
.legend { display: inline-block; width: 9rem; height: .7rem; margin: 0 .5rem; vertical-align: baseline; }
summary { cursor: pointer; color: var(--soft); }
@media print { h2 { break-after: avoid; } figure { break-inside: avoid; } }
'''


def render(*, name: str, config: dict, result: dict | None, drawn: dict, absent: dict, passage: dict | None,
           sample: str | None) -> str:
  """The page.

  Args:
    name: Of the run.
    config: Every field, as config.json has it.
    result: As result.json has it; None while the run has not ended.
    drawn: {figure: (caption, png bytes)}.
    absent: {figure: why there is none}.
    passage: As passage.json has it, or None.
    sample: Text the model generated, or None.
  """
  parts = [_heading(name, config, result)]
  parts += [_figure(each, *shown) for each, shown in drawn.items() if each != 'passage']
  if 'passage' in drawn:
    parts += ['<h2>Surprise over a held-out passage</h2>', passages.coloured(passage), _shades(),
              _figure('passage', *drawn['passage'])]
  if absent:
    parts.append('<h2>Figures left out</h2><ul class="note">' + ''.join(
        f'<li>{html.escape(each)}: {html.escape(why)}.</li>' for each, why in absent.items()) + '</ul>')
  if sample is not None:
    parts.append(f'<h2>Generated sample</h2><pre class="sample">{html.escape(sample)}</pre>')
  parts.append('<h2>Result</h2>' + (_table(result) if result else '<p class="note">The run has not ended.</p>'))
  parts.append('<h2>Config</h2><details><summary>Every field, as config.json has it</summary>'
               f'<pre>{html.escape(json.dumps(config, indent=2))}</pre></details>')
  return _whole(name, parts)


def compared(*, name: str, text: str, drawn: dict, slots: tuple[str, dict] | None, runs: list[str]) -> str:
  """The page of a comparison: runs side by side.

  Args:
    name: Of the comparison.
    text: Its table.
    drawn: {figure: (caption, png bytes)}.
    slots: A run with slots and their figures, drawn alike; None where no run has any.
    runs: Folders beside the page whose own pages it leads to.
  """
  parts = [f'<h1>{html.escape(name)}</h1>', f'<pre class="table">{html.escape(text)}</pre>', '<h2>Figures</h2>',
           *(_figure(each, *shown) for each, shown in drawn.items())]
  if slots:
    run, figures_of_slots = slots
    parts += [f'<h2>Slots of {html.escape(run)}</h2>',
              *(_figure(each, *shown) for each, shown in figures_of_slots.items())]
  if runs:
    # A folder's name may hold what a reference gives another meaning.
    leads = ''.join(f'<li><a href="./{urllib.parse.quote(run)}/report.html">{html.escape(run)}</a></li>'
                    for run in runs)
    parts.append(f'<h2>Runs</h2><ul>{leads}</ul>')
  return _whole(name, parts)


def _whole(title: str, parts: list[str]) -> str:
  return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
          '<meta name="viewport" content="width=device-width, initial-scale=1">'
          f'<style>{STYLE}</style></head><body>\n' + '\n'.join(parts) + '\n</body></html>\n')


def flat(tree: dict, prefix: str = '') -> dict:
  """{'a': {'b': 1}} to {'a.b': 1}."""
  out = {}
  for key, value in tree.items():
    out |= flat(value, f'{prefix}{key}.') if isinstance(value, dict) and value else {f'{prefix}{key}': value}
  return out


def written(name: str, value) -> str:
  """A result as a reader wants it: thousands apart, bytes in their units, four digits of a fraction."""
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: 'none'}[value]
  last = name.rpartition('.')[2]
  if isinstance(value, (int, float)) and (last.endswith('_bytes') or last == 'bytes' or 'peak_memory' in name):
    return f'{_in_units(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))} ({value:,.0f})'
  if isinstance(value, (int, float)) and 'flops' in last.lower():
    return _in_units(value, 1000, ('', 'kilo', 'mega', 'giga', 'tera', 'peta', 'exa')) + ' operations'
  if isinstance(value, int):
    return str(value) if last == 'seed' else f'{value:,}'
  if isinstance(value, float):
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.4g}'
  return value if isinstance(value, str) else json.dumps(value)


def _in_units(value: float, step: int, units: tuple) -> str:
  power = 0
  while abs(value) >= step and power < len(units) - 1:
    value, power = value / step, power + 1
  return f'{value:.4g} {units[power]}'.strip()


def _heading(name: str, config: dict, result: dict | None) -> str:
  model = config.get('model') or {}
  kinds = [model.get('kind'), *((model.get(part) or {}).get('kind') for part in ('compose', 'memory'))]
  shape = [f'{field} {model[field]}' for field in ('layers', 'width', 'vocab') if field in model]
  what = ' · '.join([*(str(k) for k in kinds if k), *shape, *([f'seed {config["seed"]}'] if 'seed' in config else [])])
  flat_result = flat(result or {})
  shown = [(format_.format(flat_result[key]), label) for key, label, format_ in HEADLINES
           if isinstance(flat_result.get(key), (int, float))]
  numbers = ''.join(f'<li><b>{n}</b><span>{label}</span></li>' for n, label in shown)
  return (f'<h1>{html.escape(name)}</h1><p class="what">{html.escape(what)}</p>'
          + (f'<ul class="headlines">{numbers}</ul>' if numbers else '') + '<h2>Figures</h2>')


def _figure(name: str, caption: str, png: bytes) -> str:
  data = base64.b64encode(png).decode()
  # Figures are as wide on the page as on paper, so that all write their labels in one size. A PNG opens with its width.
  wide = struct.unpack('>I', png[16:20])[0] / figures.WIDEST
  text = html.escape(caption, quote=True)
  return (f'<figure id="{html.escape(name)}"><img alt="{text}" style="width:{wide:.1%}" '
          f'src="data:image/png;base64,{data}">'
          f'<figcaption>{text}</figcaption></figure>')


def _table(result: dict) -> str:
  rows = ''.join(f'<tr><th>{html.escape(k)}</th><td>{html.escape(written(k, v))}</td></tr>'
                 for k, v in flat(result).items())
  return f'<table>{rows}</table>'


def _shades() -> str:
  stops = ', '.join(passages.shade(i / 8) for i in range(9))
  return ('<p class="note">the layer\'s 2nd percentile <span class="legend" style="background: '
          f'linear-gradient(to right, {stops})"></span> its 98th. The value stands under the pointer.</p>')
