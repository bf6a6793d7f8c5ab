"""Personal memory: a base that answers from a person's whole history, then memories of persons on it, frozen.

  for stage in first spelled whose letters plans types tastes many base; do
    python -m launch.train --config=configs/personal.py:$stage --config.train.start=$start --workdir=runs/$stage
    start=runs/$stage
  done
  python -m launch.personalize --config=configs/personal.py:lpm --base=runs/base --arms=lpm,lora,prompt,none --seeds=3

The base may also be a Hugging Face folder of a Qwen3, --base=Qwen3-0.6B, which is asked in plain English.

After the colon: a stage of the base, or one of the arms lpm, lora, prompt and none. A small base learns one thing at a
time: to find a preference (first), the letter of a word that was said (spelled), whose an attribute is (whose), the
letter alone (letters), where to in a month (plans), all types of questions (types), how tastes changed and what would
be new (tastes), and all about persons of whom much is told (many), or little, many to a row (base). Behind `types` may
also come attributes and plans alone (facts). Every arm's fields are in the config, whichever is named:
--config.personal.lora.rank=4. A person's questions come in families of four, so that 25 % is chance for whatever
ignores who asks.

On two cores of a CPU all stages took 70 minutes, and they do not always arrive. Of two runs one answered 93 % of
questions about fresh persons of 38 facts in 1,024 tokens; the other had learned neither evolution nor new ideas after
`tastes`, and went on from `types` to 99 % of attributes and plans with `facts`. Look at a stage's held-out scores
before the next. An arm takes two minutes or so a seed on one core.
"""

import ml_collections

from latentmem import data, model, personal, train
from latentmem.base.errors import check_known

ARMS = ('lpm', 'lora', 'prompt', 'none')
# Groups of facts of a person, few in a history of 313 tokens at least, many in one of 740.
FEW = dict(preferences=1, evolutions=1, ideas=1, attributes=1, plans=1)
MANY = dict(preferences=4, evolutions=2, ideas=2, attributes=2, plans=1)
# What a base is asked, stage by stage: fields of the task, then rows of a step, steps, and the learning rate.
OF_PREFERENCES = ('recalling_the_reasons_behind_previous_updates', 'provide_preference_aligned_recommendations',
                  'recalling_facts_mentioned_by_the_user')
NOTHING = dict.fromkeys(FEW, 0)
ATTRIBUTES = NOTHING | dict(attributes=2, types=('recall_user_shared_facts',), history=252, questions=1)
STAGES = dict(
    first=(NOTHING | dict(preferences=1, types=OF_PREFERENCES, history=260, questions=1, open=1.0), 8, 1000, 2e-3),
    spelled=(NOTHING | dict(attributes=2, plans=1, history=260, questions=2, open=0.2, spelled=0.9), 8, 1100, 3e-3),
    whose=(ATTRIBUTES | dict(open=0.9, spelled=0.8), 16, 1450, 3e-3),
    letters=(ATTRIBUTES | dict(open=0.15, spelled=0.35), 16, 800, 3e-3),
    plans=(NOTHING | dict(attributes=1, plans=1, types=('recall_user_shared_facts', OF_PREFERENCES[2]), history=252,
                          questions=1, open=0.5, spelled=0.4), 16, 1000, 3e-3),
    types=(FEW | dict(history=396, questions=5, parts=4, open=0.2, spelled=0.3), 6, 6000, 2e-3),
    tastes=(NOTHING | dict(evolutions=1, ideas=1, types=('track_full_preference_evolution', 'suggest_new_ideas'),
                           history=252, questions=1, open=0.3, spelled=0.3), 16, 1000, 3e-3),
    many=(MANY | dict(history=1024, questions=8, open=0.1, spelled=0.2), 4, 800, 1e-3),
    base=(MANY | dict(history=1024, questions=8, open=0.1, spelled=0.2, parts=8), 4, 2000, 2e-3),
    facts=(NOTHING | dict(attributes=4, plans=1, types=('recall_user_shared_facts', OF_PREFERENCES[2]), history=420,
                          questions=5, open=0.15, spelled=0.25), 8, 1100, 2e-3))
# Sizes that suit a base of a few hundred thousand numbers: the paper's 32 slots of 64 numbers are for billions.
ADAPTERS = dict(lpm=dict(heads=64, slots=16, slot_width=16, key_width=16), lora=dict(rank=4), prompt=dict(tokens=64),
                none=dict(tokens=64))
RATES = dict(lpm=2e-2, lora=3e-3, prompt=3e-1, none=1e-1)


def get_config(choice: str = 'base') -> ml_collections.ConfigDict:
  check_known(choice, (*STAGES, *ARMS), 'personal', 'choice')
  return base(choice) if choice in STAGES else arms(choice)


def base(stage: str) -> ml_collections.ConfigDict:
  asked, rows, steps, rate = STAGES[stage]
  source = data.fields(dict(kind='task', heldout_examples=64, task=dict(
      kind='persona_context', dense=True, drilled=True, parts=2, history_weight=0.05) | asked))
  length = asked['history'] + asked['questions'] * 37 - 1
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('qwen3', vocab=0, width=128, layers=3, heads=4, kv_heads=2, hidden=256, rope_base=10_000.0,
                         context=length, remat='none', scan=False),
      data=source,
      train=train.fields(steps=steps, rows=rows, accumulate=2 if rows > 8 else 1, length=length, learning_rate=rate,
                         schedule='wsd', warmup=200, beta2=0.98, weight_decay=0.05, evaluate_every=250, save_every=250,
                         log_every=50),
      evaluate=train.evaluate_fields(rows=16)))


def arms(arm: str) -> ml_collections.ConfigDict:
  source = data.fields(dict(kind='task', heldout_examples=512, task=dict(
      kind='persona', people=8, heldout='questions', **MANY)))
  rows = source['task']['question'] + 2
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      data=source,
      train=train.fields(steps=600, rows=32, length=rows, warmup=100, beta2=0.98, weight_decay=0.0, evaluate_every=200,
                         save_every=200, log_every=20),
      evaluate=train.evaluate_fields(rows=64),
      personal=dict(arm=arm, learning_rate=dict(RATES),
                    **{kind: personal.fields(kind, **ADAPTERS[kind]) for kind in ARMS})))
