"""A Qwen3 trained here becomes a Hugging Face folder, which goes on with a text as the run does."""

import json
import pathlib
import re

import pytest

from latentmem.base import safetensors
from tests import tokenizers
from tests.launch.generate_test import launch

CONFIG = """
import ml_collections
from latentmem import data, model, train

def get_config():
  return ml_collections.ConfigDict(dict(
      seed=0, mesh=dict(data=1, fsdp=1, tensor=1),
      model=model.fields('qwen3', vocab=0, width=16, layers=2, heads=4, kv_heads=1, head_width=6, hidden=24,
                         context=48),
      data=data.fields(dict(kind='corpus', corpus='files:{corpus}', tokens='huggingface:{corpus}/../tokenizer.json')),
      train=train.fields(steps=3, rows=2, length=32, telemetry_every=0, evaluate_every=0, save_every=3),
      evaluate=train.evaluate_fields(rows=1, length=32)))
"""
TEMPLATE = ("{{ '<|user|>' + messages[0].content + '<|end|>' }}"
            "{% if add_generation_prompt %}{{ '<|model|>' }}{% endif %}")


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Holds run/, trained for three steps, and hf/, converted from it."""
  folder = tmp_path_factory.mktemp('convert')
  tokenizers.write(folder, 'one, two, three;', 280, ('<|user|>', '<|model|>', '<|end|>'))
  (folder / 'corpus').mkdir()
  for i in range(9):
    (folder / 'corpus' / f'{i}.txt').write_text(('one, two, thrée;\n' * 40)[i:])
  (folder / 'config.py').write_text(CONFIG.format(corpus=folder / 'corpus'))
  code, out, err = launch('train', f'--config={folder}/config.py', f'--workdir={folder}/run')
  assert code == 0, out + err
  code, out, err = launch('convert', f'--workdir={folder}/run', f'--to={folder}/hf', '--shard=2e-5')
  assert code == 0, out + err
  return folder


def test_the_folder_goes_on_as_the_run_does(folder):
  names = {p.name for p in (folder / 'hf').iterdir()}
  shards = {name for name in names if name.endswith('.safetensors')}
  assert names == shards | {'config.json', 'tokenizer.json', 'model.safetensors.index.json'} and len(shards) > 1
  assert (folder / 'hf' / 'tokenizer.json').read_bytes() == (folder / 'tokenizer.json').read_bytes()
  common = ['--prompt=one, two', '--length=40', '--greedy']
  code, want, err = launch('generate', f'--workdir={folder}/run', *common)
  assert code == 0, err
  code, got, err = launch('generate', f'--model={folder}/hf', '--dtype=float32', '--context=48', *common)
  assert code == 0, err
  assert got == want and len(got) > 20


def with_chat(folder, name, **files):
  """A copy of the folder with more files in it."""
  there = folder / name
  there.mkdir()
  for path in (folder / 'hf').iterdir():
    (there / path.name).write_bytes(path.read_bytes())
  for file, content in files.items():
    (there / f'{file}.json').write_text(json.dumps(content))
  return there


def test_a_chat_is_answered_until_its_end(folder):
  there = with_chat(folder, 'chat', tokenizer_config=dict(chat_template=TEMPLATE))
  args = ['--prompt=one', '--length=24', '--temperature=1', '--seed=2']
  code, chat, err = launch('generate', f'--model={there}', '--chat', *args)
  assert code == 0, err
  code, said, err = launch('generate', f'--model={there}', '--prompt=<|user|>one<|end|><|model|>', *args[1:])
  assert code == 0 and said == chat, err
  # Whatever it says first ends the answer: nothing is said.
  ids = json.loads((folder / 'tokenizer.json').read_text())['model']['vocab'].values()
  everything = with_chat(folder, 'ends', generation_config=dict(eos_token_id=list(ids)))
  code, said, err = launch('generate', f'--model={everything}', *args)
  assert (code, said) == (0, '\n'), err


@pytest.mark.parametrize('launcher, args', [('generate', ('--chat', '--prompt=a')), ('chat', ())])
def test_a_template_that_cannot_be_used_is_told_before_the_model_is_loaded(folder, tmp_path, launcher, args):
  """There is nothing to load: whoever looks for weights first tells another error."""
  for name in ('config.json', 'tokenizer.json'):
    (tmp_path / name).write_bytes((folder / 'hf' / name).read_bytes())
  for template, said in (('{% if %}', 'is no chat template'), ("{{ messages | shout }}", "No filter named 'shout'"),
                         ('{{ nobody() }}', "'nobody' is undefined"), (None, 'has no chat template')):
    (tmp_path / 'tokenizer_config.json').write_text(json.dumps(dict(chat_template=template)))
    code, out, err = launch(launcher, f'--model={tmp_path}', *args)
    errors = [line for line in err.splitlines() if line.startswith('error: ')]
    assert code == 2 and out == '' and len(errors) == 1 and 'Traceback' not in err, err
    assert said in errors[0] and str(tmp_path) in errors[0], errors


@pytest.mark.parametrize('launcher, args, said', [
    ('convert', ('--to=x',), '--workdir is missing'), ('convert', ('--workdir={folder}/run',), '--to is missing'),
    ('convert', ('--workdir={folder}/run', '--to={folder}/hf'), 'not empty'),
    ('convert', ('--workdir={folder}/corpus', '--to={folder}/x'), 'no run folder'),
    ('generate', ('--workdir=a', '--model=b'), 'takes one of them'),
    ('generate', ('--workdir={folder}/run', '--chat'), '--chat says nothing to --workdir'),
    ('generate', ('--model={folder}/hf', '--step=3'), '--step says nothing to --model'),
    ('generate', ('--model={folder}/nowhere',), 'config.json cannot be read'),
    ('generate', ('--model={folder}/hf', '--chat', '--prompt=a'), 'no chat template'),
])
def test_mistakes_are_told_in_one_line(folder, launcher, args, said):
  code, out, err = launch(launcher, *(a.format(folder=folder) for a in args))
  assert code == 2 and out == ''
  errors = [line for line in err.splitlines() if line.startswith('error: ')]
  assert len(errors) == 1 and 'Traceback' not in err and re.search(said, errors[0])


def test_a_model_of_another_kind_is_refused(folder, tmp_path):
  config = json.loads((folder / 'run' / 'config.json').read_text())
  (tmp_path / 'config.json').write_text(json.dumps(config | dict(model=dict(kind='decoder'))))
  code, _, err = launch('convert', f'--workdir={tmp_path}', f'--to={tmp_path}/x')
  assert code == 2 and "kind 'decoder'" in err and not pathlib.Path(tmp_path / 'x').exists()


def test_numbers_are_those_asked_for(folder):
  code, _, err = launch('convert', f'--workdir={folder}/run', f'--to={folder}/narrow', '--dtype=bfloat16')
  assert code == 0, err
  header = safetensors.open_header(folder / 'narrow' / 'model.safetensors')
  assert {place.dtype.name for place in header.places.values()} == {'bfloat16'}
