"""Rules from paths to mesh axes."""

import jax
from jax.sharding import PartitionSpec as P
import numpy as np
import pytest

from latentmem.base import sharding
from latentmem.base.errors import InputError

LAYOUT = (('attention/out', ('tensor', 'fsdp')), ('out', ('fsdp', None)), ('scale|bias', (None,)))
TREE = dict(params=dict(
    block=dict(attention=dict(out=np.zeros((3, 8, 4))), out=np.zeros((3, 8, 5))), norm=dict(scale=np.zeros(6))))


def test_the_first_pattern_a_path_ends_with_decides_over_the_last_axes():
  specs = sharding.specs(TREE, LAYOUT)['params']
  assert specs['block'] == dict(attention=dict(out=P(None, 'tensor', 'fsdp')), out=P(None, 'fsdp', None))
  assert specs['norm'] == dict(scale=P(None))


def test_a_parameter_without_a_rule_is_named():
  with pytest.raises(InputError, match='params/norm/scale'):
    sharding.specs(TREE, LAYOUT[:2])
  with pytest.raises(InputError, match='about'):
    sharding.specs(dict(about=np.zeros((2, 2))), LAYOUT)


def test_a_rule_of_more_axes_than_there_are_is_refused():
  with pytest.raises(InputError, match='b/out has 1 axes'):
    sharding.specs(dict(b=dict(out=np.zeros(3))), LAYOUT)


def test_what_does_not_divide_stays_whole():
  mesh = sharding.make_mesh(1, 4, 2)
  placed = jax.tree.map(jax.device_put, TREE, sharding.shardings(TREE, LAYOUT, mesh))['params']['block']
  assert placed['attention']['out'].sharding.spec == P(None, 'tensor', 'fsdp')
  assert placed['attention']['out'].addressable_shards[0].data.shape == (3, 4, 1)
  odd = dict(out=np.zeros((6, 5)))
  assert sharding.shardings(odd, LAYOUT, mesh)['out'].spec == P(None, None)


def test_rows_are_shared_out():
  mesh = sharding.make_mesh(2, 2, 2)
  placed = sharding.rows(dict(a=np.zeros((3, 8, 2)), b=np.zeros((3, 6)), c=np.zeros(3)), mesh, axis=1)
  assert {name: at.spec for name, at in placed.items()} == dict(a=P(None, sharding.ROWS), b=P(None, None), c=P())


def test_a_mesh_of_too_many_devices_is_refused():
  with pytest.raises(InputError, match='needs 16 devices; there are 8'):
    sharding.make_mesh(2, 4, 2)


def test_what_is_carried_lies_by_its_rows_and_by_the_layout():
  mesh = sharding.make_mesh(2, 2, 2)
  tree = dict(cell=np.zeros((3, 8, 4, 5)), odd=np.zeros((3, 8, 3, 5)), count=np.zeros((3, 8)), none=np.zeros(7))
  layout = [('cell|odd', ('tensor', None)), ('c', (None,))]
  placed = sharding.carried(tree, layout, mesh, dict(cell=1, odd=1, count=1, none=-1))
  assert {name: at.spec for name, at in placed.items()} == dict(
      cell=P(None, sharding.ROWS, 'tensor', None), odd=P(None, sharding.ROWS, None, None),
      count=P(None, sharding.ROWS), none=P(None))
