"""What a model with slots can answer from, joined in one latent space, and taken away again.

  long    slots of other sequences (a bank's objects), beside its own
  short   what attention keeps in its window, and the last tokens that convolutions see
  new     the slots that this sequence wrote, and what waits to be written to them

Joined, they are the state of a model with more slots, which reads, generates and thinks as any other: every token asks
all slots at once, in one softmax, and attention beside them. The others' slots are copies.
B rows, L layers, N slots.
"""

import itertools

import jax
import jax.numpy as jnp

from latentmem import memory
from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.model import compose

SOURCES = ('long', 'short', 'new')
# Every choice of sources, from none to all.
CHOICES = tuple(itertools.chain.from_iterable(itertools.combinations(SOURCES, n) for n in range(len(SOURCES) + 1)))


def check(model) -> None:
  """Raises InputError for a model whose sources cannot be told apart, saying which can be."""
  held, mixer = getattr(model, 'memory', None) or dict(kind='none'), getattr(model, 'compose', None)
  inner = (mixer or {}).get('mixer_memory', dict(kind='none'))['kind']
  able = [kind for kind in memory.kinds() if hasattr(memory.find(kind), 'beside')]
  if held['kind'] not in able or inner != 'none' or not compose.find(mixer['kind']).can_think:
    raise InputError(f'A model of memory {held["kind"]!r} in composition {(mixer or {}).get("kind")!r} cannot join '
                     f'what others remember with what it does; choose one of the memories {able}, alone in mag, mal, '
                     'plain or after.')


def closed(model, params, cell):
  """The cells of all layers after they have written what still waited to be."""
  held = memory.make(**model.memory, width=model.width, state_dtype=model.state_dtype)
  write = lambda weights, cell: held.apply(dict(params=weights), cell, method='closed')
  return jax.vmap(write)(params['params']['block']['mixer']['memory'], cell)


def joined(model, params, carry, others):
  """The model, the parameters and the carry that hold the slots of other carries of the same model, too."""
  check(model)
  many = 1 + len(others)
  kind = memory.find(model.memory['kind'])
  cell = kind.beside(carry['memory']['cell'], [other['memory']['cell'] for other in others])
  wider = model.clone(memory=dict(model.memory) | dict(slots=many * model.memory['slots']))

  def widened(path, leaf):
    if jax.tree_util.keystr(path, simple=True, separator='/').endswith('mixer/memory/start'):
      return jnp.concatenate([leaf] * many, axis=-2)
    return leaf
  return wider, jax.tree_util.tree_map_with_path(widened, params), dict(carry, memory=dict(carry['memory'], cell=cell))


def chosen(carry, fresh, count: int, choices=CHOICES):
  """A joined carry of one row as many rows, each with some of the sources and without the others.

  Args:
    fresh: Of the joined model, one row, as a document starts: what takes the place of what is taken away.
    count: N, of the slots that are the sequence's own.
    choices: For each row the names of what it keeps.
  """
  has = {name: jnp.array([name in choice for choice in choices]) for name in SOURCES}
  rows = lambda tree: jax.tree.map(lambda a_L1: jnp.repeat(a_L1, len(choices), axis=1), tree)

  short = lambda own, start: jax.vmap(arrays.pick, (None, 0, 0))(has['short'], rows(own), rows(start))
  spared = jax.vmap(lambda cell, start: memory.find('slots').spared(cell, start, count, has['new'], has['long']))
  held, start = carry['memory'], fresh['memory']
  rest = short(*({name: part for name, part in tree.items() if name != 'memory'} for tree in (carry, fresh)))
  return rest | dict(memory=dict(tail=short(held['tail'], start['tail']),
                                 cell=spared(rows(held['cell']), rows(start['cell']))))
