"""Every composition, around every memory it can hold, keeps the promises of a memory."""

import pytest

from latentmem import memory
from latentmem.model import compose
from tests import promises
from tests.model import subjects

pytestmark = pytest.mark.usefixtures('x64')

# Each composition with the memory it was made for; the other memories keep their promises by themselves, and what a
# composition asks of them is the same for all.
PAIRS = [(kind, 'titans') for kind in compose.kinds() if compose.find(kind).takes_memory]
PAIRS += [(kind, 'none') for kind in compose.kinds() if kind != 'plain'] + [('mac', 'linear'), ('mag', 'delta')]


@pytest.mark.parametrize('promise', promises.ALL, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize('kind, held', PAIRS)
def test(kind, held, promise):
  promise(subjects.composition(kind, held))


@pytest.mark.parametrize('held', set(memory.kinds()) - {'titans', 'none'})
def test_every_memory_can_be_held(held):
  for kind in ('mac', 'mag', 'mal', 'plain'):
    promises.any_cut_is_the_same_as_whole(subjects.composition(kind, held))
