"""Rows, parameters and moments lie where the layout says."""

import jax
from jax.sharding import PartitionSpec as P
import numpy as np

from latentmem.train.placement import Placement
from latentmem.train.program import Program
from launch import parts
from tests.train import small


def test_a_train_state_lies_by_the_layout():
  heads = dict(memory=dict(kind='linear', heads=2, chunk=4))
  built = parts.build(small.config(model_fields=heads))
  state = Program(built.model, built.train, Placement(parts.mesh(1, 4, 2))).create(0)
  spec = lambda tree: tree['params']['block']['mixer']['memory']['qkv'].sharding.spec
  assert spec(state.params) == P(None, 'fsdp', None, 'tensor', None)
  assert spec(state.opt_state[0].mu) == spec(state.opt_state[0].nu) == spec(state.params)
  assert all('fsdp' in str(leaf.sharding.spec) for leaf in jax.tree.leaves(state.carry) if leaf.ndim > 1)
  assert state.step.sharding.is_fully_replicated


def test_rows_go_out_and_come_back():
  place = Placement(parts.mesh(2, 2, 1, 2))
  batch = small.batch(rows=16)
  put = place.batch(batch)
  assert put['tokens_BT'].sharding.spec == P(('data', 'fsdp'), 'sequence')
  np.testing.assert_array_equal(place.local(put['tokens_BT']), batch['tokens_BT'])


class Process:
  """A device of some process."""

  def __init__(self, process):
    self.process_index = process


def test_processes_that_hold_the_same_rows_read_the_same(monkeypatch):
  place = Placement(parts.mesh(1, 2, 2))
  mesh = type('Mesh', (), dict(devices=np.array([[[[Process(0)], [Process(1)]], [[Process(2)], [Process(3)]]]]),
                               shape=place.mesh.shape))
  place.mesh, found = mesh, []
  for me in range(4):
    monkeypatch.setattr(jax, 'process_index', lambda me=me: me)
    found.append((place.share(), place.speaks()))
  assert found == [((0, 2), True), ((0, 2), False), ((1, 2), True), ((1, 2), False)]
