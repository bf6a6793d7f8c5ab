"""Qwen3 from a Hugging Face folder and back: config.json, and model.safetensors or an index with its shards.

  fields, params = qwen3_weights.load('Qwen3-0.6B', mesh, dtype='bfloat16', param_dtype='bfloat16')
  it = model.make(**fields)
  qwen3_weights.save('out', fields, params)

Each device's piece alone is read, straight into its place; every number is looked at once, and nothing is executed.
D width, H heads, G heads of keys and values, K head width, L layers.
"""

from collections import defaultdict
from collections.abc import Mapping
import functools
import json
import math
import os
import pathlib
import re
import shutil
from typing import NamedTuple

import jax
import numpy as np

from latentmem import model
from latentmem.base import arrays, records, safetensors, sharding
from latentmem.base.errors import hint, InputError
from latentmem.model import interface

ONE, INDEX = 'model.safetensors', 'model.safetensors.index.json'
LAYER = 'model.layers.'
# Their name of what a layer has, and of what is there once, and ours.
NAMES = {
    **{f'self_attn.{name}_proj.weight': f'block/{name}/weight' for name in 'qkvo'},
    **{f'mlp.{name}_proj.weight': f'block/{name}/weight' for name in ('gate', 'up', 'down')},
    'self_attn.q_norm.weight': 'block/q_norm/scale', 'self_attn.k_norm.weight': 'block/k_norm/scale',
    'input_layernorm.weight': 'block/attention_norm/scale', 'post_attention_layernorm.weight': 'block/mlp_norm/scale',
}
ONCE = {'model.embed_tokens.weight': 'embed', 'model.norm.weight': 'norm/scale', 'lm_head.weight': 'head'}
# Sizes in config.json, and our fields.
SIZES = dict(vocab_size='vocab', hidden_size='width', num_hidden_layers='layers', num_attention_heads='heads',
             num_key_value_heads='kv_heads', head_dim='head_width', intermediate_size='hidden')
DEFAULTS = dict(head_dim=128, rms_norm_eps=1e-6, rope_theta=10_000.0, tie_word_embeddings=False, hidden_act='silu',
                attention_bias=False, max_position_embeddings=32_768)
# No size is larger; a config that says so would have us list names for ever.
MOST = dict(num_hidden_layers=10_000) | dict.fromkeys(set(SIZES) - {'num_hidden_layers'}, 2**28)
CONTEXT = 4096
LARGEST = 5 * 10**9
AT_ONCE = 2**20
HEAD = 'lm_head.weight'


class Source(NamedTuple):
  """Where one array lies."""

  path: pathlib.Path
  start: int
  place: safetensors.Place


def load(folder: os.PathLike | str, mesh: jax.sharding.Mesh | None = None, **chosen) -> tuple[dict, dict]:
  """(fields, params) of the checkpoint in a folder: what `model.make` and `model.apply` take.

  Args:
    folder: As `transformers` saves it.
    mesh: Where parameters go, by the model's layout; None for the first device.
    **chosen: Fields that a checkpoint leaves open: dtype and param_dtype (bfloat16 if not given), context (4,096, or
      what the checkpoint was made for where that is less), remat, scan.

  Raises InputError, before anything is read, where the folder is no dense Qwen3, where files are missing, cut short or
  do not tell the truth, and with every name, shape and dtype that does not fit; later for numbers that are not finite.
  """
  folder = pathlib.Path(folder)
  fields = fields_of(folder, **chosen)
  sources = sources_in(folder)
  it = model.make(**fields)
  shapes = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))['params']
  named = arrays.named(shapes)
  _check(folder, fields, named, sources)
  if mesh is None:
    where = jax.tree.map(lambda _: jax.sharding.SingleDeviceSharding(jax.local_devices()[0]), shapes)
  else:
    where = sharding.shardings(shapes, it.layout, mesh)
  places = arrays.named(where)
  theirs = _theirs(fields)
  loaded = {}
  # The largest first: what is held twice for a moment is held twice while little else is there.
  for name in sorted(named, key=lambda name: -named[name].size):
    loaded[name] = _loaded(named[name], places[name], [sources[their] for their in theirs[name]], theirs[name])
    loaded[name].block_until_ready()
  return fields, dict(params=jax.tree_util.tree_map_with_path(lambda path, _: loaded[arrays.name_of(path)], shapes))


def stands_in(folder: os.PathLike | str) -> bool:
  """Whether a folder is laid out as Hugging Face's, whatever it holds.

  Raises InputError for a config.json that is none.
  """
  path = pathlib.Path(folder) / 'config.json'
  return path.is_file() and 'model_type' in read_json(path)


def fields_of(folder: os.PathLike | str, **chosen) -> dict:
  """All fields of the model that a folder's config.json describes, kind included.

  Raises InputError where it describes another architecture, or one that would compute something else.
  """
  path = pathlib.Path(folder) / 'config.json'
  config = read_json(path)
  _check_architecture(path, config)
  config = DEFAULTS | {name: value for name, value in config.items() if value is not None}
  config.setdefault('num_key_value_heads', config.get('num_attention_heads'))
  rope = config.get('rope_parameters') or {}
  wrong = [f'{name} is {config.get(name)!r}' for name in SIZES
           if type(config.get(name)) is not int or not 1 <= config[name] <= MOST[name]]
  numbers = dict(rms_norm_eps=config['rms_norm_eps'], rope_theta=rope.get('rope_theta', config['rope_theta']))
  wrong += [f'{name} is {value!r}' for name, value in numbers.items()
            if type(value) not in (int, float) or not 0 < value < 1e30]
  if type(config['tie_word_embeddings']) is not bool:
    wrong.append(f'tie_word_embeddings is {config["tie_word_embeddings"]!r}')
  if type(config['max_position_embeddings']) is not int or config['max_position_embeddings'] < 1:
    wrong.append(f'max_position_embeddings is {config["max_position_embeddings"]!r}')
  if wrong:
    raise InputError(f'{path} does not describe a model: {"; ".join(wrong)}.')
  found = {ours: config[theirs] for theirs, ours in SIZES.items()}
  found |= dict(rope_base=float(numbers['rope_theta']), eps=float(numbers['rms_norm_eps']),
                tie=config['tie_word_embeddings'], context=min(CONTEXT, config['max_position_embeddings']),
                dtype='bfloat16', param_dtype='bfloat16')
  given = sorted(chosen.keys() & found.keys() - {'context', 'dtype', 'param_dtype'})
  if given:
    raise InputError(f'{path} says what {given} are; they cannot be chosen.')
  fields = model.fields('qwen3', **found | chosen)
  try:
    _ = model.make(**fields).head_shape
  except InputError as error:
    raise InputError(f'{path} does not describe a model: {error}') from None
  return fields


def save(folder: os.PathLike | str, fields: Mapping, params: Mapping, *, dtype: str | None = None,
         largest: int = LARGEST, config: Mapping | None = None, files: Mapping[str, bytes] | None = None) -> None:
  """Writes a folder that `transformers` and `load` read, whole or not at all.

  Args:
    folder: Where to; it may not be there yet, or be empty.
    fields, params: Of a model of the kind qwen3.
    dtype: Of all numbers in the files; that of the matrices if not given.
    largest: Bytes of a shard that are not exceeded, unless by a single array.
    config: More entries of config.json, such as eos_token_id.
    files: Other files by name, such as tokenizer.json.

  Raises InputError where the folder is in use or cannot be written, and for parameters that are not of these fields.
  """
  folder = pathlib.Path(folder).absolute()
  it = model.make(**fields)
  fields = model.fields(**fields)
  named = arrays.named(params['params'])
  shapes = jax.eval_shape(functools.partial(interface.init_params, it), jax.random.key(0))['params']
  wanted = {name: leaf.shape for name, leaf in arrays.named(shapes).items()}
  if {name: leaf.shape for name, leaf in named.items()} != wanted:
    raise InputError(f'The parameters are not those of the fields they are to be saved with: {sorted(named)} there, '
                     f'{sorted(wanted)} wanted, or other shapes.')
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise InputError(f'{folder} exists and is not empty. Name another folder.')
  dtype = np.dtype(dtype or named['embed'].dtype)
  beside = folder.with_name(f'.{folder.name}.{os.getpid()}.tmp')
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside.mkdir()
    try:
      _write_shards(beside, _flat(fields, named), dtype, largest)
      records.write_json(beside / 'config.json', config_of(fields, dtype) | dict(config or {}))
      for name, content in (files or {}).items():
        records.write_whole(beside / name, content)
      os.replace(beside, folder)
    finally:
      shutil.rmtree(beside, ignore_errors=True)
  except OSError as error:
    raise InputError(f'{folder} cannot be written: {error.strerror}. Nothing of it was left.') from error


def config_of(fields: Mapping, dtype) -> dict:
  """What config.json says of a model."""
  sizes = {theirs: fields[ours] for theirs, ours in SIZES.items()}
  sizes['head_dim'] = fields['head_width'] or fields['width'] // fields['heads']
  return dict(architectures=['Qwen3ForCausalLM'], model_type='qwen3', **sizes, hidden_act='silu',
              rms_norm_eps=fields['eps'], rope_theta=fields['rope_base'], rope_scaling=None, attention_bias=False,
              attention_dropout=0.0, tie_word_embeddings=fields['tie'], max_position_embeddings=fields['context'],
              use_sliding_window=False, sliding_window=None, initializer_range=0.02, use_cache=True,
              torch_dtype=np.dtype(dtype).name)


def read_json(path: pathlib.Path) -> dict:
  """An object in a JSON file. Raises InputError where it is missing or none."""
  try:
    found = json.loads(path.read_text())
  except OSError as error:
    raise InputError(f'{path} cannot be read: {error.strerror}. A Hugging Face folder has one.') from error
  except (ValueError, RecursionError) as error:
    raise InputError(f'{path} is not JSON: {str(error).splitlines()[0]}.') from error
  if not isinstance(found, dict):
    raise InputError(f'{path} holds a {type(found).__name__}, not an object.')
  return found


def _check_architecture(path, config: dict) -> None:
  """Raises InputError for anything that makes another model of it."""
  kind = config.get('model_type')
  if kind != 'qwen3':
    near = hint(str(kind), ['qwen3'])
    raise InputError(f"{path} describes a model of type {kind!r}; this reads 'qwen3', the dense family{near}.")
  rope = {**(config.get('rope_scaling') or {}), **(config.get('rope_parameters') or {})} if all(
      isinstance(config.get(name) or {}, dict) for name in ('rope_scaling', 'rope_parameters')) else dict(rope_type='?')
  turned = rope.get('rope_type', rope.get('type', 'default'))
  windows = config.get('use_sliding_window') and config.get('sliding_window') is not None
  layers = config.get('layer_types') or []
  wrong = {
      'hidden_act': config.get('hidden_act', 'silu') != 'silu',
      'attention_bias': bool(config.get('attention_bias')),
      'rope_scaling': turned != 'default' or rope.get('partial_rotary_factor', 1.0) != 1.0,
      'use_sliding_window': bool(windows) and config.get('max_window_layers', 0) != config.get('num_hidden_layers'),
      'layer_types': not isinstance(layers, list) or any(each != 'full_attention' for each in layers),
      'quantization_config': bool(config.get('quantization_config')),
  }
  told = [f'{name} is {config.get(name, rope)!r}' for name, is_so in wrong.items() if is_so]
  if told:
    raise InputError(f'{path} asks for what this model does not compute: {"; ".join(told)}. It has SiLU, no biases, '
                     'unscaled rotary positions, full attention and plain weights.')


def sources_in(folder: pathlib.Path) -> dict[str, Source]:
  """Where each array of a checkpoint lies, by its name; headers are read and checked, data are not.

  Raises InputError where shards are missing, cut short, outside the folder, or not what the index says.
  """
  shards = {ONE: None} if (folder / ONE).exists() or not (folder / INDEX).exists() else _indexed(folder / INDEX)
  missing = [name for name in shards if not (folder / name).is_file()]
  if missing:
    raise InputError(f'{folder} lacks {missing}' + ('; it has no index of shards either.' if ONE in missing else
                                                    f', which {INDEX} names. Download or copy them again.'))
  found, wrong = {}, []
  for shard, names in shards.items():
    header = safetensors.open_header(folder / shard)
    if names is not None and names != header.places.keys():
      wrong += [f'{name!r} is not in {shard}' for name in sorted(names - header.places.keys())]
      wrong += [f'{name!r} is in {shard}, unnamed' for name in sorted(header.places.keys() - names)]
    found |= {name: Source(folder / shard, header.start, place) for name, place in header.places.items()}
  if wrong:
    raise InputError(f'{folder / INDEX} does not tell the truth: {"; ".join(wrong)}.')
  return found


def _indexed(path: pathlib.Path) -> dict[str, set[str]]:
  """The names in each shard."""
  found = read_json(path).get('weight_map')
  if not isinstance(found, dict) or not found:
    raise InputError(f'{path} has no weight_map of names and files.')
  shards = defaultdict(set)
  for name, shard in found.items():
    if not isinstance(shard, str) or not re.fullmatch(r'[\w.-]+\.safetensors', shard, re.ASCII):
      raise InputError(f'{path} says that {name!r} lies in {shard!r}; that is no safetensors file of this folder.')
    shards[shard].add(name)
  return shards


def _theirs(fields: Mapping) -> dict[str, list[str]]:
  """Their names of each of our parameters, layer by layer."""
  once = {ours: [theirs] for theirs, ours in ONCE.items() if ours != 'head' or not fields['tie']}
  return once | {ours: [f'{LAYER}{layer}.{theirs}' for layer in range(fields['layers'])]
                 for theirs, ours in NAMES.items()}


def _flat_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
  """A parameter's shape, of one layer, in their files: heads are not apart."""
  if re.fullmatch('block/[qkv]/weight', name):
    return (shape[0] * shape[1], shape[2])
  return (shape[0], shape[1] * shape[2]) if name == 'block/o/weight' else shape


def _check(folder, fields, named, sources) -> None:
  """Raises InputError with everything that does not fit, equal things of many layers told together."""
  theirs = _theirs(fields)
  known = {name for names in theirs.values() for name in names}
  # A tied head may lie in the file a second time.
  extra = {HEAD} if fields['tie'] else set()
  wrong = [(name, 'is missing') for name in known - sources.keys()]
  wrong += [(name, 'is unexpected') for name in sources.keys() - known - extra]
  for ours, names in theirs.items():
    shape = named[ours].shape[1:] if ours.startswith('block/') else named[ours].shape
    shape = _flat_shape(ours, shape)
    for name in names:
      place = sources[name].place if name in sources else None
      if place and place.shape != shape:
        wrong.append((name, f'has shape {list(place.shape)}, the config asks for {list(shape)}'))
      if place and safetensors.CODES[place.dtype] not in ('BF16', 'F16', 'F32', 'F64'):
        wrong.append((name, f'is {place.dtype.name}, which is no dtype of weights'))
  if not wrong and extra & sources.keys() and not _equal(sources[theirs['embed'][0]], sources[HEAD]):
    wrong.append((HEAD, 'differs from the embedding, which the config says it is tied to'))
  if wrong:
    raise InputError(f'{folder} does not hold the model that its config.json describes: {"; ".join(_together(wrong))}.')


def _equal(one: Source, other: Source) -> bool:
  """Whether two matrices are the same numbers."""
  if (one.place.shape, one.place.dtype) != (other.place.shape, other.place.dtype):
    return False
  rows = max(1, AT_ONCE // one.place.shape[1])

  def read(source, begin):
    part = np.empty((min(rows, source.place.shape[0] - begin), source.place.shape[1]), source.place.dtype)
    index = (slice(begin, begin + len(part)), slice(None))
    safetensors.read_piece(source.path, source.place, source.start, index, part)
    return part
  return all(np.array_equal(read(one, i), read(other, i)) for i in range(0, one.place.shape[0], rows))


def _together(wrong: list[tuple[str, str]]) -> list[str]:
  """(name, what) as text, with layers that share it as ranges: 'model.layers.0-27.x is missing'."""
  grouped = defaultdict(list)
  for name, what in wrong:
    found = re.fullmatch(re.escape(LAYER) + r'(\d{1,9})\.(.+)', name)
    grouped[found[2] if found else name, what, bool(found)].append(int(found[1]) if found else 0)
  told = []
  for (name, what, layered), layers in sorted(grouped.items()):
    layers, ranges = sorted(layers), []
    for layer in layers if layered else ():
      if ranges and layer == ranges[-1][1] + 1:
        ranges[-1][1] = layer
      else:
        ranges.append([layer, layer])
    shown = ','.join(str(a) if a == b else f'{a}-{b}' for a, b in ranges)
    told.append(f'{LAYER}{shown}.{name} {what}' if layered else f'{name} {what}')
  return told


def _loaded(leaf, where, sources: list[Source], names: list[str]) -> jax.Array:
  """One parameter, on its devices; of layers, stacked from as many arrays."""
  stacked = len(leaf.shape) > 1 and len(sources) == leaf.shape[0] and names[0].startswith(LAYER)

  def piece(index):
    layers, inner = (range(*index[0].indices(leaf.shape[0])), index[1:]) if stacked else (range(1), index)
    shape = leaf.shape[1:] if stacked else leaf.shape
    sizes = tuple(len(range(*cut.indices(size))) for cut, size in zip(inner, shape))
    out = _aligned((len(layers), *sizes), leaf.dtype)
    for row, layer in zip(out, layers):
      path, start, place = sources[layer]
      part = row if place.dtype == leaf.dtype else np.empty(sizes, place.dtype)
      safetensors.read_piece(path, place._replace(shape=shape), start, inner, part)
      if part is not row:
        with np.errstate(over='ignore'):
          row[...] = part
      if not _finite(row):
        raise InputError(f'{path}: {names[layer]!r} holds numbers that are not finite as {leaf.dtype.name}.')
    return out if stacked else out[0]

  return jax.make_array_from_callback(leaf.shape, where, piece, dtype=leaf.dtype)


def _aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
  """An empty array that begins where a CPU's arrays may, so that it need not be copied."""
  size = math.prod(shape) * dtype.itemsize
  room = np.empty(size + 64, np.uint8)
  begin = -room.ctypes.data % 64
  return room[begin:begin + size].view(dtype).reshape(shape)


def _finite(x: np.ndarray) -> bool:
  """Whether all numbers are: no exponent has all its bits set."""
  exponent = np.asarray(np.inf, x.dtype).view(f'u{x.dtype.itemsize}')
  bits = x.reshape(-1).view(exponent.dtype)
  return not any(np.any(bits[i:i + AT_ONCE] & exponent == exponent) for i in range(0, bits.size, AT_ONCE))


def _flat(fields, named) -> dict:
  """(shape, a function that makes the array) by their name."""
  found = {}
  for ours, names in _theirs(fields).items():
    layered = ours.startswith('block/')
    shape = _flat_shape(ours, named[ours].shape[1:] if layered else named[ours].shape)
    for layer, name in enumerate(names):
      take = lambda leaf=named[ours], layer=layer, layered=layered: np.asarray(leaf[layer] if layered else leaf)
      found[name] = (shape, take)
  return found


def _checked(name: str, array: np.ndarray, dtype) -> np.ndarray:
  """The array in that dtype. Raises InputError where it is not finite then."""
  with np.errstate(over='ignore'):
    out = array.astype(dtype)
  if not _finite(out):
    raise InputError(f'{name!r} holds numbers that are not finite as {dtype.name}, so it cannot be read again; nothing '
                     'was written.')
  return out


def _write_shards(folder, flat: dict, dtype, largest: int) -> None:
  """model.safetensors, or shards with an index where that would be larger than `largest`."""
  shards, room = [[]], largest
  for name, (shape, _) in flat.items():
    size = math.prod(shape) * dtype.itemsize
    if shards[-1] and size > room:
      shards.append([])
      room = largest
    shards[-1].append(name)
    room -= size
  files = [ONE] if len(shards) == 1 else [f'model-{i:05}-of-{len(shards):05}.safetensors'
                                          for i in range(1, len(shards) + 1)]
  for file, names in zip(files, shards):
    made = lambda name: _checked(name, flat[name][1]().reshape(flat[name][0]), dtype)
    safetensors.write(folder / file, {name: (dtype, flat[name][0]) for name in names}, dict(format='pt'), made)
  if len(files) > 1:
    total = sum(math.prod(shape) for shape, _ in flat.values()) * dtype.itemsize
    records.write_json(folder / INDEX, dict(metadata=dict(total_size=total), weight_map={
        name: file for file, names in zip(files, shards) for name in names}))
