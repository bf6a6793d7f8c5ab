"""Dialogues go on across restarts to the last bit, and a window of attention holds no less than the memories do."""

import functools

import jax
import pytest

from configs import dialogue
from latentmem import model
from latentmem.base import arrays, records
from latentmem.model import interface
from latentmem.train import state
from tests.launch.train_test import launch

CONFIG = '--config=configs/dialogue.py:slots,steps=2,rows=2'
SMALL = ('--config.data.heldout_examples=4', '--config.model.width=8', '--config.train.telemetry_every=0')


def test_restarts_change_no_answer(tmp_path):
  folder = tmp_path / 'run'
  done = launch('train', CONFIG, f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  done = launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2')
  assert done.returncode == 0, done.stderr
  found = records.read_json(folder / 'dialogue.json')
  assert (found['asked'], found['same'], found['restarts']) == (12, 12, 2)
  assert found['right'] == found['right_without_restart'] and '12 are the same' in done.stdout
  kept = sorted(str(path.relative_to(folder / 'dialogues')) for path in (folder / 'dialogues').rglob('*.safetensors'))
  assert kept == [f'{part}/{i}.safetensors' for part in range(3) for i in range(2)]
  # A part that goes on from another state answers otherwise, so that the same answers mean something.
  (folder / 'dialogues/1/0.safetensors').write_bytes((folder / 'dialogues/1/1.safetensors').read_bytes())
  before = records.read_json(folder / 'dialogues/2.json')
  assert launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2', '--part=2').returncode == 0
  state_of = lambda i: (folder / f'dialogues/2/{i}.safetensors').read_bytes()
  assert len(before) == 2 and state_of(0) != state_of(1)


def test_a_window_of_attention_holds_as_much_as_a_memory():
  held = {}
  for kind in ('slots', 'titans', 'attention'):
    config = dialogue.get_config(kind).to_dict()['model'] | dict(vocab=85)
    it = model.make(**config)
    params = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))
    held[kind] = arrays.count_of(jax.eval_shape(lambda p, it=it: state.fresh_carry(it, p, 1), params))
  assert held['attention'] >= max(held['slots'], held['titans']), held
  assert dialogue.LAYERS * dialogue.WINDOW < dialogue.GAP * dialogue.TURN


@pytest.mark.parametrize('args, message', [
    ((), '--workdir is missing'), (('--workdir=none',), 'none'), (('--config=1',), "'config'")])
def test_what_does_not_fit_is_refused(args, message, tmp_path):
  done = launch('dialogue', *args)
  assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr
