"""What slots of personal memories look like: a map over people, the words nearest to them, where questions look.

A run's slots.json holds what is drawn: `map` (method; points [U, S, 2]), `words` (words, cosines [H, N]), `attention`
(questions, share [questions, H, N]), of S slots of U people, H heads and N slots of a head.
"""

from matplotlib.figure import Figure
import numpy as np

SHOWN = 12
CAPTIONS = dict(
    slots_map='Slots of all people, a colour a person, brought to two dimensions by {method}.',
    slots_words='The word nearest to what each slot alone adds to what stands before a question, by cosine; the first '
                'heads and slots of one person.',
    slots_attention='Where questions of each type look: the share of each slot of the first heads, of '
                    'one person.')


def flat(points_SM: np.ndarray) -> tuple[str, np.ndarray]:
  """(method, [S, 2]): UMAP where it is installed, else the two directions in which points differ most (PCA)."""
  try:
    import umap
  except ImportError:
    centred_SM = points_SM - points_SM.mean(0)
    left_SS, size, _ = np.linalg.svd(centred_SM, full_matrices=False)
    return 'PCA', left_SS[:, :2] * size[:2]
  return 'UMAP', umap.UMAP(random_state=0).fit_transform(points_SM)


def wanted(told: dict) -> dict:
  """{name: (caption, figure maker)} of what slots.json tells."""
  makers = dict(slots_map=map_of, slots_words=words_of, slots_attention=attention_of)
  return {name: (CAPTIONS[name].format(**told['map']), lambda make=make: make(told)) for name, make in makers.items()}


def map_of(told: dict) -> Figure:
  """Every slot as a point, people in colours."""
  figure = Figure(figsize=(5.6, 4.6), layout='constrained')
  axes = figure.subplots()
  people = told['map']['points']
  colours = [colour_of(u, len(people)) for u in range(len(people))]
  for u, colour in enumerate(colours):
    axes.scatter([], [], color=colour, label=f'person {u}')
  dots = [(*point, u) for u, points_S2 in enumerate(people) for point in points_S2]
  # In any order, so that nobody's lie on top.
  x, y, of = np.random.default_rng(0).permutation(dots).T
  axes.scatter(x, y, s=3, c=[colours[int(u)] for u in of])
  axes.set(xticks=[], yticks=[], title='slots over people')
  if len(people) <= SHOWN:
    figure.legend(loc='outside right upper', fontsize=7)
  return figure


def colour_of(i: int, of: int):
  """One of so many colours around the wheel."""
  from matplotlib import colormaps
  return colormaps['hsv'](i / of)


def words_of(told: dict) -> Figure:
  """A grid of heads and slots with the nearest words, darker where nearer."""
  words, cosine_HN = told['words']['words'], np.asarray(told['words']['cosines'])[:SHOWN, :SHOWN]
  heads, slots = cosine_HN.shape
  figure = Figure(figsize=(0.9 * slots + 1, 0.32 * heads + 1), layout='constrained')
  axes = figure.subplots()
  shown = axes.imshow(cosine_HN, cmap='Blues', vmin=0, vmax=1, aspect='auto')
  for h in range(heads):
    for n in range(slots):
      axes.annotate(words[h][n], (n, h), ha='center', va='center', fontsize=6,
                    color='white' if cosine_HN[h, n] > 0.6 else 'black')
  axes.set(xlabel='slot', ylabel='head', xticks=range(slots), yticks=range(heads))
  axes.grid(False)
  figure.colorbar(shown, label='cosine')
  return figure


def attention_of(told: dict) -> Figure:
  """Questions by slots, head after head."""
  share_QHN = np.asarray(told['attention']['share'])[:, :SHOWN]
  questions, heads, slots = share_QHN.shape
  figure = Figure(figsize=(9, 0.34 * questions + 1.4), layout='constrained')
  axes = figure.subplots()
  shown = axes.imshow(share_QHN.reshape(questions, -1), cmap='Oranges', vmin=0, aspect='auto', interpolation='nearest')
  axes.set_yticks(range(questions), [kind.replace('_', ' ') for kind in told['attention']['questions']], fontsize=7)
  axes.set_xticks(np.arange(heads) * slots - 0.5, [str(h) for h in range(heads)], fontsize=7)
  axes.set(xlabel='head, and its slots from left to right')
  axes.grid(False)
  figure.colorbar(shown, label='share')
  return figure
