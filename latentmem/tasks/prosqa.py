"""ProsQA: is the root one or the other? Only a walk through a graph of "every A is a B" tells (Hao et al. 2024).

Problems are drawn (`tasks.is_a_graphs`), or read from files in the published format: a JSON list of objects with
question, steps, answer, edges, idx_to_symbol, root, target and neg_target. Whatever their source, they can be told in
two ways, and a model learns one:

  symbols   4 17 | 9 4 | ... ? 9 17 3       steps 9 4 |  4 17 |            answer 17
  words     Every lempus is a yimpus. ...   steps Tom is a lempus. ...     answer Tom is a yimpus.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import check_known, hint, InputError
from latentmem.tasks import chains, is_a_graphs

FORMS = ('symbols', 'words')
TYPES = dict(question=str, steps=list, answer=str, edges=list, idx_to_symbol=list, root=int, target=int, neg_target=int)

PEOPLE = '''Alex Bob Carol Davis Eva Fae Gabriel Jack Max Oliver Polly Rex Sally Sam Stella Tom Wren'''.split()
THINGS = '''boompus bompus brimpus chorpus dumpus felpus fompus gerpus gorpus grimpus gwompus hilpus impus jelpus jompus
  kerpus lempus lorpus numpus quimpus rempus rompus rorpus scrompus shumpus sterpus storpus terpus timpus tumpus vumpus
  worpus wumpus yerpus yimpus yumpus zhorpus zumpus'''.split()
TELLING = ('Every', 'is', 'a', '.', 'Is', 'or', '?')
SYMBOLS = ('|', '?', *(str(node) for node in range(is_a_graphs.MOST)))


class Graph(NamedTuple):
  """What a problem is about.

  Attributes:
    asked: The graph and its question.
    token_N: The token that stands for each node.
  """

  asked: is_a_graphs.Problem
  token_N: list[int]


@dataclasses.dataclass(frozen=True)
class ProsQA(chains.Chains):
  """Walks through graphs.

  Attributes:
    form: 'symbols' or 'words'.
    matched: Whether drawn options lie equally far, so that distance alone does not tell.
    hops: Lengths of the shortest path that are drawn; () as in the public files.
    graphs: Different graphs in training, each told with other names and in another order every time; 0 draws all anew.
    file: Training problems, in the published format; '' draws them.
    heldout_file: The same for held-out ones.
  """

  question: int = 160
  rest: int = 24
  form: str = 'symbols'
  matched: bool = False
  hops: tuple[int, ...] = ()
  graphs: int = 17_886
  file: str = ''
  heldout_file: str = ''

  def __post_init__(self):
    super().__post_init__()
    object.__setattr__(self, 'hops', tuple(self.hops))
    check_known(self.form, FORMS, 'prosqa', 'form')
    if self.file and not self.heldout_file:
      raise InputError('prosqa with a file needs a heldout_file: what is learned from the one is tested on the other.')

  @property
  def words(self):
    return chains.SPECIAL + (SYMBOLS if self.form == 'symbols' else (*TELLING, *PEOPLE, *THINGS))

  def problem(self, rng, heldout=False):
    path = self.heldout_file if heldout else self.file
    if path:
      problems = self.problems(path)
      return problems[rng.integers(len(problems))]
    asks = self.matched, self.hops
    for _ in range(1000):
      known = self.graphs and not heldout
      asked = _graph(int(rng.integers(self.graphs)), *asks) if known else is_a_graphs.draw(rng, *asks)
      edges = [asked.edges[i] for i in rng.permutation(len(asked.edges))]
      told = self.told(asked._replace(edges=edges), self._names(rng, asked), swapped=bool(rng.integers(2)))
      if len(self.asked(told)) <= self.question:
        return told
    raise InputError(f'None of 1000 graphs fits a question of {self.question} tokens; {2 * self.question} may do.')

  def problems(self, path: str) -> list[chains.Problem]:
    """All problems of a file, in its order. Raises InputError that names the file, the problem and the key."""
    return _problems(self, path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)

  def heldout_problems(self, count, seed=0):
    return self.problems(self.heldout_file)[:count] if self.heldout_file else super().heldout_problems(count, seed)

  def _names(self, rng, asked) -> list[str]:
    """A word for each node: people for those without parents, things for the rest."""
    if self.form == 'symbols':
      return [str(i) for i in rng.permutation(is_a_graphs.MOST)[:asked.nodes]]
    below = {child for _, child in asked.edges}
    people, things = iter(rng.permutation(PEOPLE)), iter(rng.permutation(THINGS))
    return [str(next(things if node in below else people)) for node in range(asked.nodes)]

  def told(self, asked: is_a_graphs.Problem, names: list[str], swapped: bool) -> chains.Problem:
    """A graph's question in words; `swapped` names the wrong option first."""
    root, right, wrong = (names[node] for node in (asked.root, asked.target, asked.wrong))
    first, second = (wrong, right) if swapped else (right, wrong)
    below = {child for _, child in asked.edges}
    symbols = self.form == 'symbols'

    def edge(a, b):
      if symbols:
        return f'{names[a]} {names[b]} |'
      return f'{names[a]} is a {names[b]} .' if a not in below else f'Every {names[a]} is a {names[b]} .'
    query = f'? {root} {first} {second}' if symbols else f'Is {root} a {first} or {second} ?'
    tokens = lambda text: [self.number[word] for word in text.split()]
    return chains.Problem(
        question=[t for a, b in asked.edges for t in tokens(edge(a, b))] + tokens(query),
        steps=[tokens(edge(a, b)) for a, b in zip(asked.path[:-1], asked.path[1:])],
        answer=tokens(right if symbols else f'{root} is a {right} .'),
        graph=Graph(asked, [self.number[name] for name in names]))


@functools.lru_cache(maxsize=100_000)
def _graph(number: int, matched: bool, hops: tuple[int, ...]) -> is_a_graphs.Problem:
  """One of the graphs that training knows."""
  return is_a_graphs.draw(np.random.default_rng(number), matched, hops)


@functools.lru_cache(maxsize=4)
def _problems(task: ProsQA, path: str, changed: int) -> list[chains.Problem]:
  """The problems of a file that was last changed then."""
  return [task.told(*_checked(record, f'{path}, problem {i}', task.number)) for i, record in enumerate(_read(path))]


def _read(path: str) -> list[dict]:
  try:
    records = json.loads(pathlib.Path(path).read_text('utf-8'))
  except OSError as e:
    raise InputError(f'The problems at {path!r} cannot be read: {e.strerror}.') from e
  except ValueError as e:
    raise InputError(f'{path} is not JSON: {e}.') from e
  if not isinstance(records, list) or not records:
    raise InputError(f'{path} does not hold a list of problems.')
  return records


def _checked(record, where: str, number: dict[str, int]):
  """A published problem as `told` takes it: asked, names, swapped."""
  if not isinstance(record, dict):
    raise InputError(f'{where} is a {type(record).__name__}, not an object.')
  for key, kind in TYPES.items():
    if key not in record:
      raise InputError(f'{where} has no {key!r}; it has {list(record)}.')
    if not isinstance(record[key], kind):
      raise InputError(f'{where}: {key!r} is a {type(record[key]).__name__}, not a {kind.__name__}.')
  names = record['idx_to_symbol']
  for name in names:
    if name not in (*PEOPLE, *THINGS):
      raise InputError(f'{where}: idx_to_symbol has {name!r}, which is no word of ProsQA{hint(str(name), THINGS)}.')
  node = {name: i for i, name in enumerate(names)}
  for key in ('root', 'target', 'neg_target'):
    if not 0 <= record[key] < len(names):
      raise InputError(f'{where}: {key!r} is {record[key]}, and there are {len(names)} nodes.')
  try:
    edges = [(node[a], node[b]) for a, b in re.findall(r'(\w+) is a (\w+)\.', record['question'])]
    path = [record['root'], *(node[re.findall(r'(\w+)\.$', step)[0]] for step in record['steps'])]
    _, first, _ = re.findall(r'Is (\w+) a (\w+) or (\w+)\?$', record['question'])[0]
    swapped = node[first] == record['neg_target']
  except (KeyError, IndexError, TypeError) as e:
    raise InputError(f'{where}: its question or steps are not sentences about its nodes ({e}).') from e
  if sorted(edges) != sorted((a, b) for a, b in record['edges']):
    raise InputError(f"{where}: 'edges' are not those that the question tells.")
  if record['target'] not in is_a_graphs.distances(edges, record['root']):
    raise InputError(f"{where}: 'target' cannot be reached from 'root'.")
  asked = is_a_graphs.Problem(len(names), edges, record['root'], record['target'], record['neg_target'], path)
  if names[0] not in number:
    # The order of nodes tells how deep they lie; symbols must not.
    names = [str(i) for i in np.random.default_rng(len(record['question'])).permutation(is_a_graphs.MOST)[:len(names)]]
  return asked, names, swapped
