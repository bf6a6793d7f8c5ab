"""Qwen3 beside `transformers`, where it is installed: what it saved is read, computed, saved back and read by it.

  pytest -m bench tests/model/qwen3_peer_test.py -s
"""

import jax
import numpy as np
import pytest

from latentmem.base import sharding
from latentmem.data.tokens import chat
from latentmem.model import qwen3_weights
from launch.benchmarks import transformers
from tests.data.tokens import chat_test

pytestmark = pytest.mark.bench



@pytest.fixture(autouse=True)
def installed():
  for package in ('torch', 'transformers'):
    pytest.importorskip(package)


@pytest.mark.parametrize('name', transformers.SHAPES)
def test_logits_greedy_tokens_and_the_way_back(name, tmp_path):
  row = transformers.compare(name, tmp_path)
  assert row['off'] < transformers.LIMIT and row['largest'] < transformers.LIMIT
  assert row['greedy'] == transformers.TOKENS and row['back']
  assert row['shards'] == ([2, 2] if name == 'two shards' else [1, 1])
  assert {p.suffix for p in tmp_path.joinpath('back').iterdir()} == {'.json', '.safetensors'}
  assert row['bfloat16']['ours'] < 1.5 * row['bfloat16']['theirs']


def test_a_chat_is_written_as_theirs(tmp_path):
  package, peers = pytest.importorskip('tokenizers'), pytest.importorskip('transformers')
  package.Tokenizer(package.models.WordLevel({'a': 0, '<|im_end|>': 1}, 'a')).save(str(tmp_path / 'tokenizer.json'))
  theirs = peers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / 'tokenizer.json'),
                                         eos_token='<|im_end|>', chat_template=chat_test.TEMPLATE)
  theirs.save_pretrained(tmp_path)
  own = chat.read(tmp_path)
  for opens, given in ((False, {}), (True, dict(enable_thinking=False)), (True, dict(tools=[dict(a='é<')]))):
    want = theirs.apply_chat_template(chat_test.SAID, tokenize=False, add_generation_prompt=opens, **given)
    assert own.text(chat_test.SAID, opens, **given) == want and 'Hi & bye' in want


def test_on_a_mesh_every_device_has_its_piece(tmp_path):
  folder = transformers.saved('grouped', tmp_path / 'theirs')
  mesh = sharding.make_mesh(1, 4, 2)
  fields, whole = qwen3_weights.load(folder, dtype='float32', param_dtype='float32')
  _, params = qwen3_weights.load(folder, mesh, dtype='float32', param_dtype='float32')
  jax.tree.map(np.testing.assert_array_equal, params, whole)
  q = params['params']['block']['q']['weight']
  assert len({str(shard.index) for shard in q.addressable_shards}) == 8
