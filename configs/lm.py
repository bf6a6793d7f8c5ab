"""Language models at the sizes of the Titans paper, in its settings.

  python -m launch.train --config=configs/lm.py:mag,size=340m --config.data.corpus.path=<folder of .jsonl>
      --config.data.tokens.path=<tokenizer.model>

After the colon: plain (the paper's LMM), mac, mag or mal, with a Titans memory, or attention (transformer++); then
size=170m, 340m, 400m, 760m or 1.3b. From the paper, which ends at 760m: 4,096 tokens a row, half a million a batch,
AdamW at 4e-4 with a cosine, weight decay 0.1, a vocabulary of 32,000 (LLaMA-2's tokenizer), 15 billion tokens, 30
billion from 760m on, FineWeb-Edu.
Not in the paper, and so chosen here: width and layers (each within 5 % of the nominal size, embedding counted once),
heads of 64, window 512, segment 256, 16 persistent tokens, chunk 64, the warm-up.

A corpus is held in the memory of each host, as text while it is encoded and then at 2 bytes a token: what is given
should fit there, and is read as many times over as the steps need.
"""

import ml_collections

from latentmem import data, model, train
from latentmem.base.errors import check_known, hint, InputError

WIDTH = {'170m': 768, '340m': 1024, '400m': 1024, '760m': 1536, '1.3b': 2048}
LAYERS = {
    'plain': {'170m': 18, '340m': 21, '400m': 25, '760m': 22, '1.3b': 22},
    'mac': {'170m': 13, '340m': 16, '400m': 19, '760m': 16, '1.3b': 16},
    'mag': {'170m': 13, '340m': 16, '400m': 19, '760m': 16, '1.3b': 16},
    'mal': {'170m': 14, '340m': 16, '400m': 20, '760m': 17, '1.3b': 17},
    'attention': {'170m': 20, '340m': 24, '400m': 29, '760m': 25, '1.3b': 24},
}
MIXER = {
    'plain': {},
    'mac': dict(segment=256, persistent=16),
    'mag': dict(window=512, persistent=16),
    'mal': dict(window=512, persistent=16),
    'attention': dict(context=4096, qk_norm=False),
}
ROWS, LENGTH = 128, 4096


def get_config(choice: str = 'mag') -> ml_collections.ConfigDict:
  kind, _, rest = choice.partition(',')
  word, _, size = rest.partition('=')
  check_known(kind, LAYERS, 'lm', 'model')
  if rest and (word != 'size' or size not in WIDTH):
    raise InputError(f'lm takes size= one of {list(WIDTH)} after the model, not {rest!r}{hint(size, WIDTH)}.')
  return config(kind, size or '340m')


def config(kind: str, size: str) -> ml_collections.ConfigDict:
  """One model of one size."""
  heads = dict(heads=WIDTH[size] // 64, head_width=64)
  mixer = dict(kind=kind) | MIXER[kind] | ({} if kind == 'plain' else heads)
  memory = dict(kind='none') if kind == 'attention' else dict(kind='titans', chunk=64) | heads
  tokens = 30e9 if size in ('760m', '1.3b') else 15e9
  return ml_collections.ConfigDict(dict(
      seed=0,
      mesh=dict(data=1, fsdp=-1, tensor=1, sequence=1),
      model=model.fields('decoder', vocab=32_000, width=WIDTH[size], layers=LAYERS[kind][size], dtype='bfloat16',
                         compose=mixer, memory=memory),
      data=data.fields(dict(
          kind='corpus', corpus='files:data/fineweb-edu', tokens='sentencepiece:data/tokenizer.model')),
      train=train.fields(
          steps=round(tokens / (ROWS * LENGTH)), rows=ROWS, length=LENGTH, learning_rate=4e-4, warmup=1000,
          schedule='cosine', weight_decay=0.1, evaluate_every=2000, save_every=1000, keep_every=10_000),
      evaluate=train.evaluate_fields(rows=ROWS, length=LENGTH)))
