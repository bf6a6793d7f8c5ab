"""Personal memory: a base that answers from a person's whole history, then memories of persons on it, frozen.

  python -m launch.train --config=configs/personal.py:base --workdir=runs/base
  python -m launch.personalize --config=configs/personal.py:lpm --base=runs/base --arms=lpm,lora,prompt,none --seeds=3

The base may also be a Hugging Face folder of a Qwen3, --base=Qwen3-0.6B, which is asked in plain English.
After the colon: base, or one of the arms lpm, lora, prompt and none. Every arm's fields are in the config, whichever is
named: --config.personal.lora.rank=4. A person's questions come in families of four, so that 25 % is chance for whatever
ignores who asks.
"""

import ml_collections

from latentmem import data, model, personal, train
from latentmem.base.errors import check_known

ARMS = ('lpm', 'lora', 'prompt', 'none')
# Facts of a person, in a history of about half a thousand tokens at least.
FACTS = dict(preferences=2, evolutions=1, ideas=1, attributes=2, plans=1)
# Sizes that suit a base of a few hundred thousand numbers: the paper's 64 heads of 32 slots are for billions.
ADAPTERS = dict(lpm=dict(heads=16, slots=16, slot_width=16, key_width=16), lora=dict(rank=4), prompt=dict(tokens=16),
                none=dict(tokens=16))
RATES = dict(lpm=3e-3, lora=3e-3, prompt=1e-2, none=1e-2)


def get_config(choice: str = 'base') -> ml_collections.ConfigDict:
  check_known(choice, ('base', *ARMS), 'personal', 'choice')
  return base() if choice == 'base' else arms(choice)


def base() -> ml_collections.ConfigDict:
  source = data.fields(dict(kind='task', heldout_examples=256, task=dict(
      kind='persona_context', history=640, questions=6, history_weight=0.1, **FACTS)))
  length = 640 + 6 * 41 - 1
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('qwen3', vocab=0, width=128, layers=4, heads=4, kv_heads=2, hidden=256, rope_base=10_000.0,
                         context=length, remat='none', scan=False),
      data=source,
      train=train.fields(steps=20_000, rows=32, length=length, learning_rate=2e-3, warmup=200, beta2=0.98,
                         weight_decay=0.05, evaluate_every=1000, save_every=1000, log_every=20),
      evaluate=train.evaluate_fields(rows=32)))


def arms(arm: str) -> ml_collections.ConfigDict:
  source = data.fields(dict(kind='task', heldout_examples=1024, task=dict(
      kind='persona', people=16, heldout='questions', **FACTS)))
  rows = source['task']['question'] + 2
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      data=source,
      train=train.fields(steps=3000, rows=64, length=rows, warmup=100, beta2=0.98, weight_decay=0.0, evaluate_every=500,
                         save_every=500, log_every=20),
      evaluate=train.evaluate_fields(rows=64),
      personal=dict(arm=arm, learning_rate=dict(RATES),
                    **{kind: personal.fields(kind, **ADAPTERS[kind]) for kind in ARMS})))
