"""Operations that are counted from the program are those that the equations ask for.

Per token, 2 a multiply-add. D width, H heads of K, P numbers in the memory's matrices, C tokens in a chunk.
"""

import jax
import pytest

from configs import lm
from latentmem import model, train
from latentmem.base import sharding
from latentmem.model import decoder
from latentmem.ops import attention
from latentmem.train.placement import Placement
from latentmem.train.program import Program
from launch.planning import programs


def of_attention(width, window, persistent, length):
  """Scores and values; queries come in blocks that look at whole blocks, and groups of them may overhang the end."""
  reach = attention.BLOCK + -(-(window - 1) // attention.BLOCK) * attention.BLOCK
  group = attention.BLOCK * (attention.SCORES // (attention.BLOCK * reach))
  return 4 * width * (reach + persistent) * -(-length // group) * group / length


def of_memory(heads, head_width, expansion, chunk):
  """A chunk of a two-layer memory -> read and written; its end found again; its gradient."""
  P = heads * 2 * expansion * head_width**2
  into = heads * (1 + expansion) * head_width
  pairs, brake = 2 * chunk * into, heads * 2 * chunk * (chunk + head_width)
  # Keys go through both layers, their gradient back through one; a query meets weights and momentum; both are moved.
  surprise, asked, moved = 3 * P, 4 * P, 4 * P
  forward = surprise + asked + moved + 2 * pairs + brake
  again = surprise + moved + brake
  # The first layer's answer again; products with weights, momentum and each pair; what was asked, what was moved, and
  # the surprise's own gradient.
  first = 2 * P + pairs + 2 * chunk * heads * expansion * head_width
  backward = surprise + first + 6 * P + 4 * pairs + 8 * P + 8 * P + 3 * brake
  return forward, again, backward


def counted(size, rows):
  """Of one step of a `mag` of configs/lm, whose layers are read again when their gradient is taken."""
  config = lm.config('mag', size)
  m, length = config.model, config.train.length
  width, heads = m.width, m.compose.heads
  hidden = decoder.hidden(width, m.ff)
  dense = 2 * width * ((4 + 5 + 1) * width + 3 * heads + 3 * hidden)
  last = 2 * width * hidden
  pairs = of_attention(width, m.compose.window, m.compose.persistent, length)
  forward, again, backward = of_memory(heads, m.compose.head_width, m.memory.expansion, m.memory.chunk)
  # A layer is read again but for its last product, and inside it a group of queries is looked at once more.
  layer = 4 * dense - last + 5 * pairs + 2 * forward + again + backward
  return rows * length * (m.layers * layer + 3 * 2 * width * m.vocab)


@pytest.mark.parametrize('size', ['760m', '1.3b'])
def test_a_step_has_the_operations_that_its_equations_have(size):
  config, rows = lm.config('mag', size).to_dict(), 256
  settings = train.build(train.Train, config['train'] | dict(rows=rows))
  place = Placement(sharding.make_mesh(1, 1, 1, 1, jax.devices()[:1]))
  batch = {name: jax.ShapeDtypeStruct((rows, settings.length), dtype) for name, dtype in programs.BATCH.items()}
  program = Program(model.make(**config['model']), settings, place)
  assert program.flops(batch) == pytest.approx(counted(size, rows), rel=1e-3)
