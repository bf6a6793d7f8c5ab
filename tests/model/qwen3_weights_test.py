"""A folder comes back as it was saved, in pieces too; all that does not fit is told at once, first."""

import functools
import json
import os

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import jax
import ml_dtypes
import numpy as np
import pytest

from latentmem import model
from latentmem.base import safetensors, sharding
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from tests.model import subjects

FIELDS = model.fields('qwen3', vocab=20, width=8, layers=3, heads=4, kv_heads=2, head_width=6, hidden=12, context=32,
                      rope_base=100.0, eps=1e-5, tie=False)
WIDE = dict(dtype='float32', param_dtype='float32')


@functools.cache
def params():
  return jax.tree.map(lambda a: np.asarray(a, np.float32), subjects.params_of(model.make(**FIELDS)))


def saved(folder, **chosen):
  qwen3_weights.save(folder, FIELDS, params(), **chosen)
  return folder


def edit(folder, **entries):
  """Sets entries of config.json; None takes one away."""
  path = folder / 'config.json'
  config = json.loads(path.read_text()) | entries
  path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def rewrite(folder, change, file='model.safetensors'):
  """Passes the arrays of a file through `change`, by name."""
  header = safetensors.open_header(folder / file)
  found = change({name: safetensors.read(folder / file, header, name) for name in header.places})
  safetensors.write(folder / file, {name: (a.dtype, a.shape) for name, a in found.items()}, {}, found.get)


def test_a_folder_comes_back_as_it_was(tmp_path):
  for number, chosen in enumerate((dict(), dict(largest=900))):
    fields, got = qwen3_weights.load(saved(tmp_path / f'{number}', **chosen), **WIDE)
    assert fields == FIELDS
    assert jax.tree.structure(got) == jax.tree.structure(params())
    jax.tree.map(np.testing.assert_array_equal, got, params())
  shards = {p.name: p.stat().st_size for p in (tmp_path / '1').glob('*.safetensors')}
  assert len(shards) > 3 and sorted(shards)[0] == f'model-00001-of-{len(shards):05}.safetensors'
  index = json.loads((tmp_path / '1' / 'model.safetensors.index.json').read_text())
  assert set(index['weight_map'].values()) == shards.keys()
  assert index['metadata']['total_size'] == sum(a.nbytes for a in jax.tree.leaves(params()))


def test_names_and_axes_are_hugging_face_s(tmp_path):
  header = safetensors.open_header(saved(tmp_path / 'a') / 'model.safetensors')
  shapes = {name: place.shape for name, place in header.places.items()}
  assert len(shapes) == 3 + 3 * 11
  assert shapes['model.layers.2.self_attn.q_proj.weight'] == (24, 8)
  assert shapes['model.layers.2.self_attn.o_proj.weight'] == (8, 24)
  assert shapes['model.layers.0.mlp.down_proj.weight'] == (8, 12) and shapes['lm_head.weight'] == (20, 8)
  got = safetensors.read(tmp_path / 'a' / 'model.safetensors', header, 'model.layers.1.self_attn.k_proj.weight')
  np.testing.assert_array_equal(got[7], params()['params']['block']['k']['weight'][1, 1, 1])


@pytest.mark.parametrize('sizes', [(1, 8, 1), (2, 2, 2), (1, 1, 4)], ids=str)
def test_devices_read_their_pieces(tmp_path, sizes, monkeypatch):
  fields, whole = qwen3_weights.load(saved(tmp_path / 'a', largest=2000), **WIDE)
  read = []
  plain = safetensors.read_piece
  monkeypatch.setattr(safetensors, 'read_piece', lambda *args: (read.append(args[-1].nbytes), plain(*args)))
  mesh = sharding.make_mesh(*sizes)
  _, got = qwen3_weights.load(tmp_path / 'a', mesh, **WIDE)
  jax.tree.map(np.testing.assert_array_equal, got, whole)
  for leaf, where in zip(jax.tree.leaves(got['params']), jax.tree.leaves(
      sharding.shardings(got['params'], model.make(**fields).layout, mesh))):
    assert leaf.sharding == where
  assert sum(read) <= sum(shard.data.nbytes for leaf in jax.tree.leaves(got) for shard in leaf.addressable_shards)


def test_numbers_are_those_of_the_dtype_asked_for(tmp_path):
  saved(tmp_path / 'a')
  fields, got = qwen3_weights.load(tmp_path / 'a', param_dtype='bfloat16')
  assert (fields['dtype'], fields['param_dtype']) == ('bfloat16', 'bfloat16')
  np.testing.assert_array_equal(got['params']['embed'], params()['params']['embed'].astype(ml_dtypes.bfloat16))
  assert got['params']['norm']['scale'].dtype == np.float32
  qwen3_weights.save(tmp_path / 'b', fields, got)
  assert safetensors.open_header(tmp_path / 'b' / 'model.safetensors').places['model.norm.weight'].dtype.name == (
      'bfloat16')
  _, again = qwen3_weights.load(tmp_path / 'b')
  np.testing.assert_array_equal(again['params']['embed'], got['params']['embed'])


def test_a_tied_head_may_lie_in_the_file_if_it_is_the_embedding(tmp_path):
  edit(saved(tmp_path / 'a'), tie_word_embeddings=True)
  with pytest.raises(InputError, match='lm_head.weight differs from the embedding, which the config says it is tied'):
    qwen3_weights.load(tmp_path / 'a', **WIDE)
  rewrite(tmp_path / 'a', lambda found: found | {'lm_head.weight': found['model.embed_tokens.weight']})
  fields, got = qwen3_weights.load(tmp_path / 'a', **WIDE)
  assert fields['tie'] and 'head' not in got['params']


def test_older_and_newer_configs_say_the_same(tmp_path):
  saved(tmp_path / 'a')
  edit(tmp_path / 'a', rope_theta=None, rope_parameters=dict(rope_type='default', rope_theta=500.0),
       layer_types=['full_attention'] * 3, num_key_value_heads=None, sliding_window=16, use_sliding_window=False)
  fields = qwen3_weights.fields_of(tmp_path / 'a')
  assert fields['rope_base'] == 500.0 and fields['kv_heads'] == 4
  edit(tmp_path / 'a', use_sliding_window=True, max_window_layers=3, max_position_embeddings=100_000)
  assert qwen3_weights.fields_of(tmp_path / 'a')['context'] == 4096
  assert qwen3_weights.fields_of(tmp_path / 'a', context=7)['context'] == 7


@pytest.mark.parametrize('entries, said', [
    (dict(model_type='llama'), "type 'llama'"), (dict(model_type='qwen3_moe'), "did you mean 'qwen3'"),
    (dict(model_type=None), 'type None'), (dict(hidden_act='gelu'), "hidden_act is 'gelu'"),
    (dict(attention_bias=True), 'attention_bias is True'),
    (dict(rope_scaling=dict(rope_type='yarn', factor=4.0)), 'rope_scaling is .*yarn'),
    (dict(rope_scaling=dict(type='linear', factor=4.0)), 'rope_scaling is .*linear'),
    (dict(rope_parameters=dict(rope_type='yarn', rope_theta=1e6)), 'rope_scaling'), (dict(rope_scaling=[1]), 'rope_sc'),
    (dict(use_sliding_window=True, sliding_window=8, max_window_layers=1), 'use_sliding_window is True'),
    (dict(layer_types=['full_attention', 'sliding_attention']), 'layer_types'),
    (dict(quantization_config=dict(quant_method='fp8')), 'quantization_config'),
    (dict(hidden_size=-8), 'hidden_size is -8'), (dict(vocab_size='20'), "vocab_size is '20'"),
    (dict(num_hidden_layers=10**12), 'num_hidden_layers is 10000'), (dict(rms_norm_eps=float('nan')), 'rms_norm_eps'),
    (dict(hidden_size=None, head_dim=7.5), 'hidden_size is None; .*head_dim is 7.5'),
    (dict(tie_word_embeddings='no'), "is 'no'"), (dict(num_key_value_heads=3), 'config.json does .* kv_heads must'),
    (dict(head_dim=5), 'config.json does not describe a model: .*even head width'),
    (dict(max_position_embeddings=0), 'max_position_embeddings is 0'),
])
def test_another_architecture_is_refused(tmp_path, entries, said):
  edit(saved(tmp_path / 'a'), **entries)
  with pytest.raises(InputError, match=said):
    qwen3_weights.load(tmp_path / 'a', **WIDE)


def test_all_that_does_not_fit_is_told_at_once(tmp_path):
  def change(found):
    del found['model.norm.weight']
    for layer in (0, 1):
      del found[f'model.layers.{layer}.mlp.up_proj.weight']
    name = 'model.layers.1.self_attn.q_proj.weight'
    found[name] = found[name].T.copy()
    found['model.layers.2.self_attn.q_norm.weight'] = np.zeros(6, np.int32)
    return found | {'model.layers.0.self_attn.q_proj.bias': np.zeros(24, np.float32)}
  rewrite(saved(tmp_path / 'a'), change)
  with pytest.raises(InputError) as error:
    qwen3_weights.load(tmp_path / 'a', **WIDE)
  for said in ('model.norm.weight is missing', 'model.layers.0-1.mlp.up_proj.weight is missing',
               'model.layers.0.self_attn.q_proj.bias is unexpected',
               'model.layers.1.self_attn.q_proj.weight has shape [8, 24], the config asks for [24, 8]',
               'model.layers.2.self_attn.q_norm.weight is int32'):
    assert said in str(error.value)
  edit(tmp_path / 'a', num_hidden_layers=6)
  with pytest.raises(InputError, match=r'model\.layers\.3-5\.mlp\.gate_proj\.weight is missing'):
    qwen3_weights.load(tmp_path / 'a', **WIDE)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16', 'float32', 'float64'])
def test_numbers_that_are_not_finite_are_refused(tmp_path, bad, dtype):
  def change(found):
    found = {name: a.astype(dtype) for name, a in found.items()}
    found['model.layers.1.mlp.down_proj.weight'][3, 7] = bad
    return found
  rewrite(saved(tmp_path / 'a'), change)
  with pytest.raises(InputError, match="'model.layers.1.mlp.down_proj.weight' holds numbers that are not finite"):
    qwen3_weights.load(tmp_path / 'a', dtype='float32', param_dtype='bfloat16')


def test_numbers_too_large_for_the_dtype_are_refused(tmp_path):
  rewrite(saved(tmp_path / 'a'), lambda found: found | {'lm_head.weight': np.full((20, 8), 1e6, np.float32)})
  with pytest.raises(InputError, match="'lm_head.weight' holds numbers that are not finite as float16"):
    qwen3_weights.load(tmp_path / 'a', param_dtype='float16')


def test_shards_that_are_missing_or_cut_short_are_named(tmp_path):
  saved(tmp_path / 'a', largest=900)
  first, second, *_ = sorted(p.name for p in (tmp_path / 'a').glob('*.safetensors'))
  content = (tmp_path / 'a' / first).read_bytes()
  (tmp_path / 'a' / first).write_bytes(content[:-1])
  with pytest.raises(InputError, match=f'{first} does not tell the truth'):
    qwen3_weights.load(tmp_path / 'a', **WIDE)
  (tmp_path / 'a' / first).unlink()
  (tmp_path / 'a' / second).unlink()
  with pytest.raises(InputError, match=f'lacks .*{first}.*{second}'):
    qwen3_weights.load(tmp_path / 'a', **WIDE)
  with pytest.raises(InputError, match='nowhere/config.json cannot be read'):
    qwen3_weights.load(tmp_path / 'nowhere')
  (tmp_path / 'b').mkdir()
  (tmp_path / 'b' / 'config.json').write_text((tmp_path / 'a' / 'config.json').read_text())
  with pytest.raises(InputError, match='no index of shards either'):
    qwen3_weights.load(tmp_path / 'b')


@pytest.mark.parametrize('shard', ['../a/model.safetensors', '/etc/passwd', 'sub/x.safetensors', '..', 'x.bin', 7, ''])
def test_an_index_that_leaves_the_folder_is_refused(tmp_path, shard):
  saved(tmp_path / 'a', largest=900)
  path = tmp_path / 'a' / 'model.safetensors.index.json'
  index = json.loads(path.read_text())
  index['weight_map']['model.norm.weight'] = shard
  path.write_text(json.dumps(index))
  with pytest.raises(InputError, match='no safetensors file of this folder'):
    qwen3_weights.load(tmp_path / 'a', **WIDE)


def test_an_index_that_does_not_tell_the_truth_is_refused(tmp_path):
  saved(tmp_path / 'a', largest=900)
  path = tmp_path / 'a' / 'model.safetensors.index.json'
  index = json.loads(path.read_text())
  shard = index['weight_map'].pop('model.norm.weight')
  index['weight_map']['model.extra.weight'] = shard
  path.write_text(json.dumps(index))
  with pytest.raises(InputError, match=f"'model.extra.weight' is not in {shard}; 'model.norm.weight' is in {shard}"):
    qwen3_weights.load(tmp_path / 'a', **WIDE)


def test_what_a_checkpoint_says_cannot_be_chosen(tmp_path):
  with pytest.raises(InputError, match=r"says what \['heads'\] are"):
    qwen3_weights.load(saved(tmp_path / 'a'), heads=2)
  with pytest.raises(InputError, match="no field 'rop'"):
    qwen3_weights.load(tmp_path / 'a', rop=2)


def test_nothing_is_half_written_and_nothing_overwritten(tmp_path, monkeypatch):
  saved(tmp_path / 'a')
  with pytest.raises(InputError, match='not empty'):
    saved(tmp_path / 'a')
  with pytest.raises(InputError, match='not those of the fields'):
    qwen3_weights.save(tmp_path / 'b', FIELDS | dict(width=10), params())
  def full(*_):
    raise OSError(28, os.strerror(28))
  monkeypatch.setattr(safetensors, 'write', full)
  with pytest.raises(InputError, match='No space left'):
    saved(tmp_path / 'b')
  assert [p.name for p in tmp_path.iterdir()] == ['a']


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  return saved(tmp_path_factory.mktemp('fuzz') / 'a', largest=2000)


# A few hundred files are written and read; what a header may say by itself is fuzzed where headers are.
fuzzed = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=6)


@given(st.data())
@fuzzed
def test_any_config_describes_a_model_or_is_refused(whole, data):
  config = json.loads((whole / 'config.json').read_text())
  names = data.draw(st.lists(st.sampled_from([*config, 'rope_parameters', 'layer_types']), min_size=1, max_size=3))
  changed = config | {name: data.draw(JSON) for name in names}
  folder = whole.parent / 'config'
  folder.mkdir(exist_ok=True)
  (folder / 'config.json').write_text(json.dumps(data.draw(st.sampled_from([changed, changed, data.draw(JSON)]))))
  try:
    fields = qwen3_weights.fields_of(folder)
  except InputError:
    return
  assert model.fields(**fields) == fields


@given(st.data())
@fuzzed
def test_a_folder_with_any_file_spoilt_loads_whole_or_is_refused(whole, data):
  """Bytes changed, cut or added anywhere but in the numbers themselves, which carry no checksum."""
  folder = whole.parent / 'spoilt'
  folder.mkdir(exist_ok=True)
  files = {p.name: p.read_bytes() for p in whole.iterdir()}
  name = data.draw(st.sampled_from(sorted(files)))
  content = bytearray(files[name])
  head = 8 + int.from_bytes(content[:8], 'little') if name.endswith('.safetensors') else len(content)
  for _ in range(data.draw(st.integers(1, 4))):
    at = data.draw(st.integers(0, head - 1))
    how = data.draw(st.sampled_from(['change', 'cut', 'add']))
    if how == 'change':
      content[at:at + 1] = data.draw(st.binary(min_size=1, max_size=1))
    elif how == 'cut':
      del content[at:]
      break
    else:
      content[at:at] = data.draw(st.binary(max_size=3))
  for other in folder.iterdir():
    other.unlink()
  for each, as_it_was in files.items():
    (folder / each).write_bytes(content if each == name else as_it_was)
  try:
    fields, got = qwen3_weights.load(folder, **WIDE)
  except InputError:
    return
  assert jax.tree.map(np.shape, got) == jax.tree.map(np.shape, params()) or fields != FIELDS
