"""Long conversations (LoCoMo) written into memories, then asked about: a base that reads English, and memories on it.

  python -m launch.tokenizer --config=configs/locomo.py --config.data.corpus.path=text --vocab=2048 --to=tokens
  python -m launch.train --config=configs/locomo.py --config.data.corpus.path=text
      --config.data.tokens.path=tokens --workdir=runs/english
  python -m launch.locomo --config=configs/locomo.py:arms --base=runs/english --config.data.path=locomo

`text` is a folder of English, `locomo` one of published conversations. Any Hugging Face folder of a Qwen3 may be the
base instead: --base=Qwen3-0.6B.
"""

import ml_collections

from latentmem import data, model, personal, train
from latentmem.base.errors import check_known

ARMS = ('lpm', 'lora', 'prompt', 'none')
ADAPTERS = dict(lpm=dict(heads=16, slots=32, slot_width=32, key_width=32), lora=dict(rank=4), prompt=dict(tokens=16),
                none=dict(tokens=16))
# Ten turns and a question fit.
LENGTH = 768
RATES = dict(lpm=2e-2, lora=3e-3, prompt=1e-2, none=1e-2)


def get_config(choice: str = 'base') -> ml_collections.ConfigDict:
  check_known(choice, ('base', 'arms'), 'locomo', 'choice')
  return base() if choice == 'base' else arms()


def base() -> ml_collections.ConfigDict:
  """A small Qwen3 over plain English."""
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('qwen3', vocab=0, width=128, layers=4, heads=4, kv_heads=2, hidden=384, rope_base=10_000.0,
                         context=LENGTH, remat='none', scan=False),
      data=data.fields(dict(kind='corpus', corpus=dict(kind='files', path='data/english', heldout=0.1),
                            tokens='huggingface:data/tokens', max_document=LENGTH)),
      train=train.fields(steps=800, rows=8, length=LENGTH, learning_rate=3e-3, warmup=50, evaluate_every=200,
                         save_every=200, log_every=20),
      evaluate=train.evaluate_fields(rows=8, length=LENGTH)))


def arms() -> ml_collections.ConfigDict:
  """Memories of conversations, whose turns they are trained on."""
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      data=data.fields(dict(kind='conversations', path='data/locomo')),
      train=train.fields(steps=400, rows=32, warmup=50, beta2=0.98, weight_decay=0.0, evaluate_every=200,
                         save_every=200, log_every=20),
      evaluate=train.evaluate_fields(rows=32),
      personal=dict(arm='lpm', learning_rate=dict(RATES),
                    **{kind: personal.fields(kind, **ADAPTERS[kind]) for kind in ARMS})))
