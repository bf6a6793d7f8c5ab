"""ProsQA: is the root one or the other? Only a walk through a graph of "every A is a B" tells (Hao et al. 2024).

Problems are drawn (`tasks.is_a_graphs`), or read from files in the published format: a JSON list of objects with
question, steps, answer, edges, idx_to_symbol, root, target and neg_target. Whatever their source, they can be told in
two ways, and a model learns one:

  symbols   4 17 | 9 4 | ... ? 9 17 3       steps 9 4 |  4 17 |            answer 17
  words     Every lempus is a yimpus. ...   steps Tom is a lempus. ...     answer Tom is a yimpus.
"""

import dataclasses
import functools
import re
from typing import NamedTuple

import numpy as np

from latentmem.base.errors import check_known, hint, InputError
from latentmem.tasks import chains, files, is_a_graphs

FORMS = ('symbols', 'words')
MOST_HOPS = 7
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
    nodes: Of a drawn graph, in the mean; as in the public files by default.
    graphs: Different graphs in training, each told with other names and in another order every time; 0 draws all anew.
    file: Training problems, in the published format; '' draws them.
    heldout_file: The same for held-out ones.
  """

  question: int = 168
  rest: int = 24
  form: str = 'symbols'
  matched: bool = False
  hops: tuple[int, ...] = ()
  nodes: float = is_a_graphs.NODES
  graphs: int = 17_886
  file: str = ''
  heldout_file: str = ''

  def __post_init__(self):
    super().__post_init__()
    object.__setattr__(self, 'hops', tuple(np.atleast_1d(self.hops).tolist()))
    check_known(self.form, FORMS, 'prosqa', 'form')
    if self.graphs < 0 or not all(isinstance(n, int) and 1 <= n <= MOST_HOPS for n in self.hops):
      raise InputError(f'prosqa takes graphs >= 0 and hops from 1 to {MOST_HOPS}; it got graphs={self.graphs} and '
                       f'hops={self.hops}.')
    if not 4 <= self.nodes <= is_a_graphs.MOST:
      raise InputError(f'prosqa draws graphs of 4 to {is_a_graphs.MOST} nodes in the mean, not {self.nodes}.')
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
    asks = self.matched, self.hops, self.nodes
    for _ in range(1000):
      known = self.graphs and not heldout
      asked = _graph(int(rng.integers(self.graphs)), *asks) if known else is_a_graphs.draw(rng, *asks)
      edges = [asked.edges[i] for i in rng.permutation(len(asked.edges))]
      told = self.told(asked._replace(edges=edges), self._names(rng, asked), swapped=bool(rng.integers(2)))
      if self.fits(told):
        return told
    question, rest = self.room(told)
    raise InputError(f'None of 1000 graphs fits question={self.question} and rest={self.rest}; the last would have '
                     f'taken {question} and {rest}.')

  def problems(self, path: str) -> list[chains.Problem]:
    """All problems of a file, in its order. Raises InputError that names the file, the problem and the key."""
    return _problems(self, path, chains.changed(path))

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
def _graph(number: int, matched: bool, hops: tuple[int, ...], nodes: float) -> is_a_graphs.Problem:
  """One of the graphs that training knows."""
  return is_a_graphs.draw(np.random.default_rng(number), matched, hops, nodes)


@functools.lru_cache(maxsize=4)
def _problems(task: ProsQA, path: str, changed: int) -> list[chains.Problem]:
  """The problems of a file that was last changed then."""
  found = [task.told(*_checked(record, f'{path}, problem {i}', task.number)) for i, record in enumerate(_read(path))]
  task.check_fit(found, f'The problems of {path}')
  return found


def _read(path: str) -> list[dict]:
  records = files.json_of(files.text_of(path), path)
  if not isinstance(records, list) or not records:
    raise InputError(f'{path} does not hold a list of problems.')
  return records


def _nodes(sentence: str, text, node: dict[str, int], where: str) -> tuple[int, ...]:
  """The nodes that a sentence names. Raises InputError where it is none about them."""
  found = re.fullmatch(sentence, text.strip()) if isinstance(text, str) else None
  if not found or not set(found.groups()) <= set(node):
    raise InputError(f'{where}: {text!r} is no sentence about its nodes.')
  return tuple(node[name] for name in found.groups())


def _pair(pair, nodes: int, where: str) -> tuple[int, int]:
  """An edge. Raises InputError where it is no pair of nodes."""
  if not isinstance(pair, list) or len(pair) != 2 or not all(type(n) is int and 0 <= n < nodes for n in pair):
    raise InputError(f'{where}: {pair!r} is no pair of numbers of its {nodes} nodes.')
  return tuple(pair)


def _checked(record, where: str, number: dict[str, int]):
  """A published problem as `told` takes it: asked, names, swapped."""
  if not isinstance(record, dict):
    raise InputError(f'{where} is a {type(record).__name__}, not an object.')
  for key, kind in TYPES.items():
    if key not in record:
      raise InputError(f'{where} has no {key!r}; it has {list(record)}.')
    if not isinstance(record[key], kind) or isinstance(record[key], bool):
      raise InputError(f'{where}: {key!r} is a {type(record[key]).__name__}, not a {kind.__name__}.')
  names = record['idx_to_symbol']
  for name in names:
    if name not in (*PEOPLE, *THINGS):
      raise InputError(f'{where}: idx_to_symbol has {name!r}, which is no word of ProsQA{hint(str(name), THINGS)}.')
  node = {name: i for i, name in enumerate(names)}
  root, target, wrong = (record[key] for key in ('root', 'target', 'neg_target'))
  if len(node) < len(names):
    raise InputError(f'{where}: idx_to_symbol has a word twice.')
  told, ask = record['question'].rpartition('Is ')[::2]
  edges = [_nodes(r'(?:Every )?(\w+) is a (\w+)', said, node, f"{where}, 'question'")
           for said in filter(None, map(str.strip, told.split('.')))]
  query = _nodes(r'(\w+) a (\w+) or (\w+)\?', ask, node, f"{where}, 'question'")
  steps = [_nodes(r'(?:Every )?(\w+) is a (\w+)\.', step, node, f"{where}, 'steps' {i}")
           for i, step in enumerate(record['steps'])]
  said = _nodes(r'(\w+) is a (\w+)\.', record['answer'], node, f"{where}, 'answer'")
  listed = sorted(_pair(pair, len(names), f"{where}, 'edges' {i}") for i, pair in enumerate(record['edges']))
  path = [root, *(b for _, b in steps)]
  below = is_a_graphs.distances(edges, root)
  for fits, message in (
      (listed == sorted(edges), "'edges' are not those that the question tells"),
      (query[0] == root and sorted(query[1:]) == sorted((target, wrong)), "'root', 'target' and 'neg_target' are not "
       'those that the question asks about'),
      (target in below, "'target' cannot be reached from 'root'"),
      (wrong not in below, "'neg_target' can be reached from 'root'"),
      (path[-1] == target and steps == [*zip(path, path[1:])] and {*steps} <= {*edges},
       "'steps' are no way from 'root' to 'target'"),
      (said == (root, target), "'answer' does not name 'target'"),
      (is_a_graphs.is_founded(len(names), edges), 'some of its edges go in a circle that nothing leads to'),
      (len(names) <= is_a_graphs.MOST, f'it has {len(names)} nodes, and there are words for {is_a_graphs.MOST}')):
    if not fits:
      raise InputError(f'{where}: {message}.')
  asked = is_a_graphs.Problem(len(names), edges, root, target, wrong, path)
  if names[0] not in number:
    # The order of nodes tells how deep they lie; symbols must not.
    names = [str(i) for i in np.random.default_rng(len(record['question'])).permutation(is_a_graphs.MOST)[:len(names)]]
  return asked, names, query[1] == wrong
