"""Checkpoints come back to the bit; a damaged one is told from a good one, and nothing good is lost."""

import os
import shutil

import jax
import jax.numpy as jnp
import optax
import pytest

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import checkpoint
from latentmem.train.state import TrainState
from tests import full_disk
from tests.train import small


def state(step, width=4):
  params = dict(params=dict(embed=jax.random.normal(jax.random.key(step), (8, width)),
                            block=dict(out=jnp.full((2, width), step, jnp.bfloat16))))
  carry = dict(tail=(jnp.ones(3), jnp.zeros((2, 0, 3))), count=jnp.arange(2))
  number = jnp.asarray(step, jnp.int32)
  return TrainState(params, optax.adam(1e-3).init(params), carry, number, number, number, jax.random.key(step))


def shapes(step=0, **kwargs):
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state(step, **kwargs))


@pytest.fixture
def run(tmp_path):
  """A run with checkpoints of steps 1 and 2."""
  run = records.create(tmp_path / 'run', dict(seed=0))
  save(run, 1, 2)
  return run


def save(run, *steps, **kwargs):
  with checkpoint.Checkpoints(run, **kwargs) as checkpoints:
    for step in steps:
      checkpoints.save(step, state(step))


def restore(run, want=None):
  """(state, what was said)."""
  said = []
  with checkpoint.Checkpoints(run) as checkpoints:
    found = checkpoints.restore(want or shapes(), said.append)
  return found, ' '.join(said)


def flip(path, offset=None):
  """Turns over the bits of one byte."""
  content = bytearray(path.read_bytes())
  at = len(content) // 2 if offset is None else offset
  content[at] ^= 0xFF
  path.write_bytes(content)


def largest(folder):
  files = [p for p in folder.rglob('*') if p.is_file() and p.name != checkpoint.SEAL]
  return max(files, key=lambda p: p.stat().st_size)


def test_the_latest_comes_back_to_the_bit(run):
  found, said = restore(run)
  assert small.same(found, state(2)) and isinstance(found.opt_state[0], optax.ScaleByAdamState)
  assert said == ''


def test_an_empty_folder_has_none(tmp_path):
  found, said = restore(records.create(tmp_path / 'run', {}))
  assert found is None and said == ''


def test_the_last_and_every_mth_are_kept(run):
  shutil.rmtree(run.checkpoints)
  save(run, *range(1, 11), keep=2, keep_every=4)
  assert checkpoint.steps_in(run.checkpoints) == [4, 8, 9, 10]


@pytest.mark.parametrize('harm, words', [
    (lambda path: flip(largest(path)), 'another checksum'),
    (lambda path: os.truncate(largest(path), largest(path).stat().st_size // 2), 'bytes, not'),
    (lambda path: largest(path).unlink(), 'is missing'),
    (lambda path: (path / checkpoint.SEAL).write_text('{"a": 3'), 'cannot be read'),
], ids=['flipped', 'truncated', 'missing', 'seal'])
def test_a_damaged_latest_falls_back_to_the_one_before_and_says_so(run, harm, words):
  harm(run.checkpoints / '2')
  found, said = restore(run)
  assert small.same(found, state(1))
  assert 'checkpoints/2 is damaged' in said and words in said and 'the one before' in said
  # What is damaged is put aside, so that step 2 can be written anew.
  assert (run.path / 'damaged' / '2').is_dir()
  save(run, 2)
  assert int(restore(run)[0].step) == 2


def test_a_flip_in_any_file_is_seen(run):
  path = run.checkpoints / '2'
  files = [p for p in path.rglob('*') if p.is_file() and p.name != checkpoint.SEAL and p.stat().st_size]
  assert len(files) > 5 and checkpoint.problem(path) is None
  for each in files:
    flip(each)
    assert checkpoint.problem(path) is not None, each
    flip(each)
  assert checkpoint.problem(path) is None


def test_all_damaged_is_an_error_and_nothing_is_removed(run):
  for step in (1, 2):
    flip(largest(run.checkpoints / str(step)))
  with pytest.raises(InputError, match='Every checkpoint is damaged.*another checksum'):
    restore(run)
  assert checkpoint.steps_in(run.checkpoints) == [1, 2]


def test_a_step_that_was_not_finished_is_as_good_as_none(run):
  (run.checkpoints / '2' / checkpoint.SEAL).unlink()
  (run.checkpoints / '3.orbax-checkpoint-tmp').mkdir()
  found, said = restore(run)
  assert int(found.step) == 1 and 'was not finished' in said
  assert sorted(os.listdir(run.checkpoints)) == ['1']


def test_other_shapes_are_refused_by_the_parameters_name(run):
  with pytest.raises(InputError, match=r'block/out is \(2, 4\) there, \(2, 5\) wanted; embed is \(8, 4\) there'):
    restore(run, shapes(width=5))
  with pytest.raises(InputError, match=r'embed is \(8, 4\) there, \(9, 4\) wanted'):
    want = shapes()
    want.params['params']['embed'] = jax.ShapeDtypeStruct((9, 4), jnp.float32)
    restore(run, want)
  assert checkpoint.steps_in(run.checkpoints) == [1, 2]


def test_other_names_are_refused(run):
  want = shapes()
  want.params['params']['head'] = want.params['params'].pop('embed')
  with pytest.raises(InputError, match=r'embed is \(8, 4\) there, none wanted; head is none there'):
    restore(run, want)


def test_a_full_disk_is_told_and_the_checkpoints_before_stay(run):
  with pytest.raises(InputError, match='no space left'):
    with checkpoint.Checkpoints(run) as checkpoints, full_disk.small_files(100):
      checkpoints.save(3, state(3))
      checkpoints.wait()
  assert int(restore(run)[0].step) == 2
  save(run, 3)
  assert int(restore(run)[0].step) == 3


def test_parameters_load_alone(run):
  config, params = checkpoint.load_params(run.path)
  assert config == dict(seed=0) and small.same(params, state(2).params)
  assert small.same(checkpoint.load_params(run.path, 1)[1], state(1).params)


def test_loading_names_what_there_is(run):
  with pytest.raises(InputError, match=r'no checkpoint of step 5; it has \[1, 2\]'):
    checkpoint.load_params(run.path, 5)
  with pytest.raises(InputError, match=r'embed is \(8, 4\) there, \(8, 9\) wanted'):
    checkpoint.load_params(run.path, want=shapes(width=9).params)
  flip(largest(run.checkpoints / '2'))
  assert small.same(checkpoint.load_params(run.path)[1], state(1).params)
  with pytest.raises(InputError, match='2 is damaged: .*another checksum'):
    checkpoint.load_params(run.path, 2)


def test_a_state_comes_back_on_other_devices(run):
  mesh = jax.make_mesh((8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
  where = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  want = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=where), shapes())
  found, _ = restore(run, want)
  assert small.same(jax.device_get(found.params), jax.device_get(state(2).params))
  assert len(found.params['params']['embed'].sharding.device_set) == 8
