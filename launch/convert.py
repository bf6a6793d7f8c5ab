"""A run's model as a Hugging Face folder, which `transformers` and `launch.generate --model` read.

  python -m launch.convert --workdir=runs/base --to=base-hf

The run's model is a qwen3. Its tokenizer.json comes with it where the run's data have one.
"""

from absl import flags, logging

from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.train import checkpoint
from launch import shell

_WORKDIR = flags.DEFINE_string('workdir', None, 'Run folder of a model of the kind qwen3.')
_STEP = flags.DEFINE_integer('step', None, 'Checkpoint; the latest good one where it is not given.')
_TO = flags.DEFINE_string('to', None, 'Folder to write, which may not be there yet.')
_DTYPE = flags.DEFINE_enum('dtype', None, ['bfloat16', 'float16', 'float32'], 'Of the files; as trained, if not given.')
_SHARD = flags.DEFINE_float('shard', 5.0, 'Gigabytes of a file at most.', lower_bound=1e-6)


def main():
  logging.set_verbosity(logging.FATAL)
  for flag, what in ((_WORKDIR, 'a run folder, as in --workdir=runs/base'), (_TO, 'the folder to write')):
    if not flag.value:
      raise InputError(f'--{flag.name} is missing; it names {what}.')
  config = records.read(_WORKDIR.value).config
  if config['model']['kind'] != 'qwen3':
    raise InputError(f'{_WORKDIR.value} holds a model of the kind {config["model"]["kind"]!r}; a folder of Hugging '
                     "Face's is written of a 'qwen3' alone.")
  config, params = checkpoint.load_params(_WORKDIR.value, _STEP.value)
  told = tokenizer(config['data'])
  qwen3_weights.save(_TO.value, config['model'], params, dtype=_DTYPE.value, largest=round(_SHARD.value * 1e9),
                     files=told)
  reads = f', or by python -m launch.generate --model={_TO.value}' if told else '; it has no tokenizer'
  print(f'{_TO.value}: {config["model"]["layers"]} layers, to be read by transformers{reads}')


def tokenizer(config: dict) -> dict[str, bytes]:
  """The tokenizer.json of a run's data, by its name, where they have one."""
  from latentmem.data import tokens
  from latentmem.data.tokens import interface
  coder = config.get('tokens') or {}
  if coder.get('kind') != 'huggingface':
    return {}
  return {'tokenizer.json': interface.content(tokens.make(**coder).file)}


if __name__ == '__main__':
  shell.run(main)
