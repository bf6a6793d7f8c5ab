"""The suite `transformers`: Qwen3s with random weights that `transformers` saved, read, computed and saved back.

  off        |logits - theirs| / |theirs|          largest     max |logits - theirs| / max |theirs|      float32
  greedy     tokens of TOKENS that are equal       back        whether theirs, reloaded from our files, is the same
  bfloat16   off in bfloat16, ours and theirs: roundings are not the same, and neither should be worse
"""

import datetime
import functools
import pathlib
import tempfile

import jax
import numpy as np

from latentmem import model
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.session.session import Session

# Grouped 4:1; head_dim x heads unlike the width; tied and untied; two shards.
SHAPES = {
    'grouped': dict(hidden_size=64, num_attention_heads=8, num_key_value_heads=2, head_dim=8,
                    tie_word_embeddings=False),
    'wide heads': dict(hidden_size=48, num_attention_heads=4, num_key_value_heads=1, head_dim=32,
                       tie_word_embeddings=True),
    'every head its own': dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=4, head_dim=16,
                               tie_word_embeddings=False, rope_theta=10_000.0, rms_norm_eps=1e-5),
    'two shards': dict(hidden_size=64, num_attention_heads=8, num_key_value_heads=2, head_dim=16, num_hidden_layers=4,
                       tie_word_embeddings=True),
}
SMALL, WHOLE = 500_000, 5 * 10**9
TOKENS, BEGINNING, LIMIT = 64, 8, 1e-5


def packages():
  """torch and transformers. Raises InputError where they are not installed."""
  try:
    import torch
    import transformers
  except ImportError as error:
    raise InputError('This suite needs torch and transformers: pip install torch transformers would do.') from error
  return torch, transformers


@functools.cache
def peer(name: str):
  """A model of theirs with random weights, far from any that is special."""
  torch, transformers = packages()
  torch.manual_seed(0)
  config = transformers.Qwen3Config(**dict(vocab_size=300, intermediate_size=96, num_hidden_layers=3,
                                           max_position_embeddings=256) | SHAPES[name])
  made = transformers.Qwen3ForCausalLM(config).eval()
  with torch.no_grad():
    for path, weight in made.named_parameters():
      weight.copy_(1 + 0.3 * torch.randn_like(weight) if 'norm' in path else 0.15 * torch.randn_like(weight))
  return made


@functools.cache
def tokens() -> np.ndarray:
  return np.random.default_rng(0).integers(0, 300, (2, TOKENS))


def saved(name: str, folder: pathlib.Path) -> pathlib.Path:
  """A model of theirs, as they save it."""
  peer(name).save_pretrained(folder, max_shard_size=SMALL if name == 'two shards' else WHOLE)
  return folder


def compare(name: str, above: pathlib.Path) -> dict:
  """A row of the record. Folders are made in `above`."""
  folder = saved(name, above / 'theirs')
  fields, params = qwen3_weights.load(folder, dtype='float32', param_dtype='float32')
  it, want = model.make(**fields), logits(peer(name))
  own = _logits(it, params)
  qwen3_weights.save(above / 'back', fields, params, largest=SMALL if name == 'two shards' else WHOLE)
  return dict(what=name, off=relative(own, want), largest=float(np.abs(own - want).max() / np.abs(want).max()),
              greedy=_greedy(name, it, params), back=_same(name, above / 'back'),
              shards=[len(list((above / side).glob('*.safetensors'))) for side in ('theirs', 'back')],
              bfloat16=_narrow(name, folder))


def logits(theirs) -> np.ndarray:
  torch, _ = packages()
  with torch.no_grad():
    return theirs(torch.tensor(tokens())).logits.double().numpy()


def relative(got, want) -> float:
  return float(np.linalg.norm(np.asarray(got, np.float64) - want) / np.linalg.norm(want))


def _logits(it, params):
  return np.asarray(jax.jit(functools.partial(it.apply, method='first'))(params, tokens())[1])


def _greedy(name, it, params):
  """How many of the likeliest tokens are theirs."""
  torch, _ = packages()
  with torch.no_grad():
    theirs = peer(name).generate(torch.tensor(tokens()[:1, :BEGINNING]), max_new_tokens=TOKENS, min_new_tokens=TOKENS,
                                 do_sample=False, eos_token_id=None, pad_token_id=0)[0, BEGINNING:].tolist()
  live = Session(it, params, piece=32)
  live.feed(tokens()[0, :BEGINNING])
  return sum(a == b for a, b in zip(live.generate(TOKENS), theirs, strict=True))


def _same(name, folder):
  """Whether they find every weight in our files as it was, and compute the same."""
  torch, _ = packages()
  again, told = type(peer(name)).from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
  there = dict(again.named_parameters())
  return (not any(told[kind] for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys'))
          and all(torch.equal(weight, there[path]) for path, weight in peer(name).named_parameters())
          and np.array_equal(logits(again), logits(peer(name))))


def _narrow(name, folder):
  torch, _ = packages()
  fields, params = qwen3_weights.load(folder)
  theirs = type(peer(name)).from_pretrained(folder, dtype=torch.bfloat16)
  want = logits(peer(name))
  return dict(ours=relative(_logits(model.make(**fields), params), want), theirs=relative(logits(theirs), want))


def run(told=print) -> dict:
  """The record of the suite. Raises InputError where torch or transformers is not installed."""
  torch, transformers = packages()
  rows = []
  for name in SHAPES:
    with tempfile.TemporaryDirectory() as above:
      row = compare(name, pathlib.Path(above))
    rows.append(row)
    told(f'{name:20} logits off by {row["off"]:.1e}, {row["largest"]:.1e} at most; {row["greedy"]} of {TOKENS} greedy '
         f'tokens equal; saved back {"the same" if row["back"] else "NOT the same"}; bfloat16 off by '
         f'{row["bfloat16"]["ours"]:.1e}, theirs {row["bfloat16"]["theirs"]:.1e}')
  peers = dict(torch=torch.__version__, transformers=transformers.__version__)
  return dict(suite='transformers', shapes=SHAPES, tokens=TOKENS, limit=LIMIT, rows=rows,
              versions=records.versions() | peers, commit=records.commit(), machine=records.machine(jax.devices()),
              date=datetime.date.today().isoformat())
