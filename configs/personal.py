"""Personal memory: a base that answers from a person's whole history, then memories of persons on it, frozen.

  python -m launch.train --config=configs/personal.py:first --workdir=runs/first
  python -m launch.train --config=configs/personal.py:base --config.train.start=runs/first --workdir=runs/base
  python -m launch.personalize --config=configs/personal.py:lpm --base=runs/base --arms=lpm,lora,prompt,none --seeds=3

The base may also be a Hugging Face folder of a Qwen3, --base=Qwen3-0.6B, which is asked in plain English.

After the colon: first, base, or one of the arms lpm, lora, prompt and none. A base learns to find before it learns to
choose: `first` answers open questions about one preference, `base` goes on from there to all types of questions and to
letters. Every arm's fields are in the config, whichever is named: --config.personal.lora.rank=4. A person's questions
come in families of four, so that 25 % is chance for whatever ignores who asks.
"""

import ml_collections

from latentmem import data, model, personal, train
from latentmem.base.errors import check_known

ARMS = ('lpm', 'lora', 'prompt', 'none')
# Facts of a person, in a history of 320 tokens at least.
FACTS = dict(preferences=1, evolutions=1, ideas=1, attributes=1, plans=1)
# What is asked of a base, first and then: few rows a step, many short persons in them, some answers in words.
STAGES = dict(
    first=dict(dict.fromkeys(FACTS, 0), preferences=1, history=260, questions=1, parts=2, open=1.0,
               types=('recalling_the_reasons_behind_previous_updates', 'provide_preference_aligned_recommendations',
                      'recalling_facts_mentioned_by_the_user')),
    base=dict(FACTS, history=396, questions=5, parts=4, open=0.5, spelled=0.6))
# Sizes that suit a base of a few hundred thousand numbers: the paper's 64 heads of 32 slots are for billions.
ADAPTERS = dict(lpm=dict(heads=16, slots=16, slot_width=16, key_width=16), lora=dict(rank=4), prompt=dict(tokens=16),
                none=dict(tokens=16))
RATES = dict(lpm=3e-3, lora=3e-3, prompt=1e-2, none=1e-2)


def get_config(choice: str = 'base') -> ml_collections.ConfigDict:
  check_known(choice, (*STAGES, *ARMS), 'personal', 'choice')
  return base(choice) if choice in STAGES else arms(choice)


def base(stage: str) -> ml_collections.ConfigDict:
  asked = dict(STAGES[stage], kind='persona_context', dense=True, history_weight=0.1)
  length, rows, steps = asked['history'] + asked['questions'] * 37 - 1, *dict(first=(8, 2700), base=(4, 6000))[stage]
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('qwen3', vocab=0, width=128, layers=3, heads=4, kv_heads=2, hidden=256, rope_base=10_000.0,
                         context=length, remat='none', scan=False),
      data=data.fields(dict(kind='task', heldout_examples=64, task=asked)),
      train=train.fields(steps=steps, rows=rows, accumulate=2, length=length, learning_rate=2e-3, schedule='wsd',
                         warmup=200, beta2=0.98, weight_decay=0.05, evaluate_every=500, save_every=500, log_every=50),
      evaluate=train.evaluate_fields(rows=16)))


def arms(arm: str) -> ml_collections.ConfigDict:
  source = data.fields(dict(kind='task', heldout_examples=512, task=dict(
      kind='persona', people=8, heldout='questions', **FACTS)))
  rows = source['task']['question'] + 2
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      data=source,
      train=train.fields(steps=1500, rows=32, length=rows, warmup=100, beta2=0.98, weight_decay=0.0, evaluate_every=500,
                         save_every=500, log_every=20),
      evaluate=train.evaluate_fields(rows=64),
      personal=dict(arm=arm, learning_rate=dict(RATES),
                    **{kind: personal.fields(kind, **ADAPTERS[kind]) for kind in ARMS})))
