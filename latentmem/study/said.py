"""What models said to questions about conversations, compared by LoCoMo's metric: F1 of words, by category.

A score is what `tasks.locomo.scored` makes: f1, its standard error, asked, and the same by_type.
"""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from latentmem.study import columns, figures

ALL = 'all but adversarial'
CAPTION = ("LoCoMo's F1 of what is said, by category, with standard errors; of adversarial questions, how many are "
           'answered by saying that nothing is known.')
NOTES = '''F1 of the stemmed words of what is said, the likeliest token after each other, and of the answer, in %: mean
and standard error over questions; of adversarial ones, how many are told 'not mentioned' or 'no information available'
swapped: from the memory of another conversation'''


def together(runs: dict[str, list[dict]], alone: dict[str, dict]) -> dict[str, dict]:
  """{name: score} of arms, from their own and from another's memory, each the mean of its seeds; and of bases alone."""
  found = {}
  for arm, pages in runs.items():
    if pages:
      found[arm], found[f'{arm}, swapped'] = (mean([page[name] for page in pages]) for name in ('own', 'swapped'))
  return found | {name: mean([score]) for name, score in alone.items()}


def mean(scores: list[dict]) -> dict:
  """The mean of several models' scores of the same questions; its error as if they had erred alike."""
  def of(parts):
    if parts[0]['f1'] is None:
      return dict(f1=None, error=None, asked=0)
    one = lambda name: sum(part[name] for part in parts) / len(parts)
    return dict(f1=one('f1'), error=one('error'), asked=parts[0]['asked'])
  return of(scores) | dict(by_type={kind: of([score['by_type'][kind] for score in scores])
                                    for kind in scores[0]['by_type']})


def table(scores: dict[str, dict]) -> str:
  """Text with a line a model and a column a category, and notes."""
  lines = [['F1 of what is said', ALL, *_kinds(scores)]]
  told = lambda part: f'{100 * part["f1"]:.1f} +- {100 * part["error"]:.1f}' if part and part['f1'] is not None else ''
  for name, score in scores.items():
    lines.append([name, told(score), *(told(score['by_type'].get(kind)) for kind in _kinds(scores))])
  return '\n'.join([*columns.laid(lines), '', NOTES])


def draw(scores: dict[str, dict], title: str) -> Figure:
  """F1 over categories, a colour a model."""
  names = [ALL, *_kinds(scores)]
  with figures.styled():
    figure = Figure(figsize=(9.0, 3.8), layout='constrained')
    axes = figure.subplots()
    for i, (name, score) in enumerate(scores.items()):
      shift = 0.7 * ((i + 0.5) / len(scores) - 0.5)
      parts = [score, *(score['by_type'].get(kind) for kind in names[1:])]
      held = [(x + shift, part) for x, part in enumerate(parts) if part and part['f1'] is not None]
      axes.errorbar([x for x, _ in held], [part['f1'] for _, part in held], yerr=[part['error'] for _, part in held],
                    fmt='o', capsize=2, markersize=4, label=name)
    axes.set_xticks(range(len(names)), [name.replace(' but', '\nbut') for name in names])
    axes.set(ylabel='F1 of what is said', title=title, ylim=(0, None))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc='outside right upper', fontsize=8)
  return figure


def _kinds(scores) -> list[str]:
  return list(dict.fromkeys(kind for score in scores.values() for kind in score['by_type']))
