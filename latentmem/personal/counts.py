"""What a memory costs, by shapes alone: numbers of a person, numbers that all share, and bytes of keys and values.

U people, P tokens of a prompt.
"""

import jax
import jax.numpy as jnp

from latentmem import model as models
from latentmem import personal
from latentmem.base import arrays

# What differs between Qwen3's sizes, from their config.json; width of a head, heads of keys and vocabulary do not.
QWEN3 = {
    'Qwen3-1.7B': dict(width=2048, layers=28, heads=16, hidden=6144, tie=True),
    'Qwen3-4B': dict(width=2560, layers=36, heads=32, hidden=9728, tie=True),
    'Qwen3-8B': dict(width=4096, layers=36, heads=32, hidden=12288, tie=False),
}
ALIKE = dict(kv_heads=8, head_width=128, vocab=151936)


def numbers(adapter: dict, base: dict) -> tuple[int, int]:
  """(numbers of each person, numbers that all people share) of an adapter on a base."""
  made = personal.make(adapter, base, 1)
  key = jax.random.key(0)
  own = jax.eval_shape(lambda key: made.start_personal(key, 1), key) if made.has_personal else {}
  shared = jax.eval_shape(made.start_shared, key) if made.has_shared else {}
  return arrays.count_of(own), arrays.count_of(shared)


def kv_bytes(base: dict, tokens: int) -> int:
  """Bytes of keys and values that a base holds for so many tokens of one row, in its own dtype."""
  size = base.get('head_width') or base['width'] // base['heads']
  return 2 * base['layers'] * base.get('kv_heads', base['heads']) * size * jnp.dtype(base['dtype']).itemsize * tokens


def prompt_tokens(adapter: dict, base: dict) -> int:
  """Tokens that a person's memory puts before a question."""
  return personal.make(adapter, base, 1).prompt


def at_sizes_of_qwen3(history: int = 32768) -> list[dict]:
  """lpm as it is by default against lora of rank 16 on all projections, and against a history that is read whole."""
  rows = []
  for name, sizes in QWEN3.items():
    base = models.fields('qwen3', **ALIKE, **sizes, dtype='bfloat16', param_dtype='bfloat16')
    lpm, lora = (personal.fields(kind) for kind in ('lpm', 'lora'))
    own, shared = numbers(lpm, base)
    theirs, _ = numbers(lora, base)
    held, whole = kv_bytes(base, prompt_tokens(lpm, base)), kv_bytes(base, history)
    rows.append(dict(base=name, lpm=own, lpm_shared=shared, lora=theirs, fewer=theirs / own, kv_lpm=held,
                     kv_history=whole, history=history, less=whole / held))
  return rows
