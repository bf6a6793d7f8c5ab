"""Dialogues go on across restarts to the last bit, and a window of attention holds no less than the memories do."""

import functools

import jax
import pytest

from configs import dialogue
from latentmem import model
from latentmem.bank import store
from latentmem.base import arrays, records
from latentmem.model import interface
from latentmem.train import state
from tests.launch.commands import launch

CONFIG = '--config=configs/dialogue.py:slots,steps=2,rows=2'
SMALL = ('--config.data.heldout_examples=4', '--config.model.width=8', '--config.train.telemetry_every=0')


@pytest.mark.slow
def test_restarts_change_no_answer(tmp_path):
  folder = tmp_path / 'run'
  done = launch('train', CONFIG, f'--workdir={folder}', *SMALL)
  assert done.returncode == 0, done.stderr
  done = launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2')
  assert done.returncode == 0, done.stderr
  found = records.read_json(folder / 'dialogue.json')
  assert (found['asked'], found['same'], found['restarts']) == (12, 12, 2)
  assert found['right'] == found['right_without_restart'] and '12 are the same' in done.stdout
  bank = store.Bank(folder / 'dialogues')
  assert {name: bank.versions(name) for name in bank.list()} == {'dialogue-0': [1, 2, 3], 'dialogue-1': [1, 2, 3]}
  # A part that goes on from another state ends otherwise, so that the same answers mean something.
  state_at_end = lambda: {name: a.tolist() for name, a in bank.get('dialogue-0', 3)[0].items()}
  (kept, header), ended = bank.get('dialogue-1', 2), state_at_end()
  for name in bank.list():
    bank.forget(name)
    for _ in range(2):
      bank.put(name, kept, kind=header.kind, fields=header.fields, fingerprint=header.fingerprint)
  assert launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2', '--part=2').returncode == 0
  assert state_at_end() != ended
  done = launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2')
  assert done.returncode == 0 and records.read_json(folder / 'dialogue.json') == found
  assert state_at_end() == ended
  done = launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2', '--part=3')
  assert done.returncode == 2 and 'there are parts 0 to 2, and no 3' in done.stderr
  checkpoints = folder / 'checkpoints'
  checkpoints.rename(folder / 'gone')
  done = launch('dialogue', f'--workdir={folder}', '--dialogues=2', '--restarts=2')
  assert done.returncode == 2 and 'Traceback' not in done.stderr and done.stderr.count('error:') == 1


def test_a_window_of_attention_holds_as_much_as_a_memory():
  held = {}
  for kind in ('slots', 'titans', 'attention'):
    config = dialogue.get_config(kind).to_dict()['model'] | dict(vocab=85)
    it = model.make(**config)
    params = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))
    held[kind] = arrays.count_of(jax.eval_shape(lambda p, it=it: state.fresh_carry(it, p, 1), params))
  assert held['attention'] >= max(held['slots'], held['titans']), held
  # A convolution of 3 reaches two tokens further.
  assert dialogue.LAYERS * (dialogue.WINDOW + 1) < dialogue.GAP * dialogue.TURN


@pytest.mark.parametrize('args, message', [
    ((), '--workdir is missing'), (('--workdir=none',), 'none'), (('--config=1',), "'config'")])
def test_what_does_not_fit_is_refused(args, message, tmp_path):
  done = launch('dialogue', *args)
  assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr
