"""Qwen3 beside `transformers`, where it is installed: what it saved is read, computed, saved back and read by it.

  pytest -m bench tests/model/qwen3_peer_test.py -s
"""

import functools

import jax
import numpy as np
import pytest

from latentmem import model
from latentmem.base import sharding
from latentmem.model import qwen3_weights
from latentmem.session.session import Session

pytestmark = pytest.mark.bench

# Grouped 4:1; head_dim x heads unlike the width; tied and untied; two shards.
SHAPES = {
    'grouped': dict(hidden_size=64, num_attention_heads=8, num_key_value_heads=2, head_dim=8, tie_word_embeddings=False),
    'wide heads': dict(hidden_size=48, num_attention_heads=4, num_key_value_heads=1, head_dim=32,
                       tie_word_embeddings=True),
    'every head its own': dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=4, head_dim=16,
                               tie_word_embeddings=False, rope_theta=10_000.0, rms_norm_eps=1e-5),
    'two shards': dict(hidden_size=64, num_attention_heads=8, num_key_value_heads=2, head_dim=16, num_hidden_layers=4,
                       tie_word_embeddings=True),
}
TOKENS = 64


@functools.cache
def peer(name):
  """A model of theirs with random weights, far from any that is special."""
  torch = pytest.importorskip('torch')
  transformers = pytest.importorskip('transformers')
  torch.manual_seed(0)
  config = transformers.Qwen3Config(**dict(vocab_size=300, intermediate_size=96, num_hidden_layers=3,
                                           max_position_embeddings=256) | SHAPES[name])
  made = transformers.Qwen3ForCausalLM(config).eval()
  with torch.no_grad():
    for path, weight in made.named_parameters():
      weight.copy_(1 + 0.3 * torch.randn_like(weight) if 'norm' in path else 0.15 * torch.randn_like(weight))
  return made


@functools.cache
def tokens():
  return np.random.default_rng(0).integers(0, 300, (2, TOKENS))


def saved(name, folder):
  peer(name).save_pretrained(folder, max_shard_size='500KB' if name == 'two shards' else '5GB')
  shards = len(list(folder.glob('*.safetensors')))
  assert shards == 2 if name == 'two shards' else shards == 1
  return folder


def relative(got, want):
  return np.linalg.norm(np.asarray(got, np.float64) - want) / np.linalg.norm(want)


@pytest.mark.parametrize('name', SHAPES)
def test_logits_greedy_tokens_and_the_way_back(name, tmp_path):
  torch, theirs = pytest.importorskip('torch'), peer(name)
  folder = saved(name, tmp_path / 'theirs')
  fields, params = qwen3_weights.load(folder, dtype='float32', param_dtype='float32')
  it = model.make(**fields)
  with torch.no_grad():
    want = theirs(torch.tensor(tokens())).logits.double().numpy()
    chosen = theirs.generate(torch.tensor(tokens()[:1, :8]), max_new_tokens=64, min_new_tokens=64, do_sample=False,
                             eos_token_id=None, pad_token_id=0)[0, 8:].tolist()
  _, logits = jax.jit(functools.partial(it.apply, method='first'))(params, tokens())
  off = relative(logits, want)
  largest = np.abs(np.asarray(logits) - want).max() / np.abs(want).max()
  live = Session(it, params, piece=32)
  live.feed(tokens()[0, :8])
  own = list(live.generate(64))
  print(f'\n{name}: logits off by {off:.1e} of their size, {largest:.1e} at most; '
        f'{sum(a == b for a, b in zip(own, chosen))} of 64 greedy tokens equal')
  assert off < 1e-5 and largest < 1e-5 and own == chosen

  qwen3_weights.save(tmp_path / 'back', fields, params, largest=500_000 if name == 'two shards' else 5 * 10**9)
  assert {p.suffix for p in tmp_path.joinpath('back').iterdir()} == {'.json', '.safetensors'}
  assert len(list(tmp_path.joinpath('back').glob('*.safetensors'))) == (2 if name == 'two shards' else 1)
  again, told = type(theirs).from_pretrained(tmp_path / 'back', output_loading_info=True, dtype=torch.float32)
  assert not told['missing_keys'] and not told['unexpected_keys'] and not told['mismatched_keys']
  for path, weight in theirs.named_parameters():
    assert torch.equal(weight, dict(again.named_parameters())[path]), path
  with torch.no_grad():
    assert np.array_equal(again(torch.tensor(tokens())).logits.double().numpy(), want)


def test_on_a_mesh_every_device_has_its_piece(tmp_path):
  folder = saved('grouped', tmp_path / 'theirs')
  mesh = sharding.make_mesh(1, 4, 2)
  fields, whole = qwen3_weights.load(folder, dtype='float32', param_dtype='float32')
  _, params = qwen3_weights.load(folder, mesh, dtype='float32', param_dtype='float32')
  jax.tree.map(np.testing.assert_array_equal, params, whole)
  q = params['params']['block']['q']['weight']
  assert len({str(shard.index) for shard in q.addressable_shards}) == 8


def test_bfloat16_is_as_theirs(tmp_path):
  """Both in bfloat16 differ from float32 by as much: their roundings are not ours, and neither is worse."""
  torch = pytest.importorskip('torch')
  folder = saved('grouped', tmp_path / 'theirs')
  fields, params = qwen3_weights.load(folder)
  _, logits = jax.jit(functools.partial(model.make(**fields).apply, method='first'))(params, tokens())
  with torch.no_grad():
    want = peer('grouped')(torch.tensor(tokens())).logits.double().numpy()
    narrow = type(peer('grouped')).from_pretrained(folder, dtype=torch.bfloat16)(torch.tensor(tokens()))
  own, theirs = relative(logits, want), relative(narrow.logits.double().numpy(), want)
  print(f'\nbfloat16: ours off by {own:.1e} of their size, theirs by {theirs:.1e}')
  assert own < 1.5 * theirs
