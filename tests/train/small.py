"""A model, a task and a model that breaks on purpose, small enough to train in a test."""

import contextlib
import io

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from latentmem import data, model, train
from latentmem.model import interface
from latentmem.train import loop, results
from latentmem.train.preemption import Preemption
from launch import parts

BAD = 7


def config(memory='linear', task=None, model_fields=(), mesh=1, sequence=1, **fields) -> dict:
  """Width 16, one layer, recall of 2 pairs in 8 tokens."""
  return dict(
      seed=0, mesh=dict(data=1, fsdp=mesh, tensor=1, sequence=sequence),
      model=model.fields('decoder', **dict(
          dict(vocab=0, width=16, layers=1, ff=0, remat='none', compose=dict(kind='plain'),
               memory=dict(kind=memory, heads=1, chunk=4)), **dict(model_fields))),
      data=data.fields(dict(kind='task', heldout_examples=16,
                            task=task or dict(kind='recall', vocab=16, pairs=2, length=8))),
      train=train.fields(**dict(dict(steps=12, rows=8, length=8, learning_rate=1e-2, warmup=2, telemetry_every=5,
                                     save_every=4, evaluate_every=6), **fields)),
      evaluate=train.evaluate_fields(rows=8))


class LeavesAt(Preemption):
  """Asks to leave after one given step."""

  def __init__(self, step: int):
    super().__init__()
    self.step = step

  def asked(self, step):
    return step == self.step


def run(workdir, config: dict, leave: int = -1, model=None, source=None, prepare=None):
  """Trains in this process -> (run, trained). A model or a source may stand in for the config's."""
  built = parts.build(config)
  source = source or built.source
  folder = results.begin(workdir, built.config, source)
  with contextlib.redirect_stderr(io.StringIO()):
    trained = loop.train(folder, model or built.model, source, built.train, built.evaluate, config['seed'], built.place,
                         LeavesAt(leave), prepare=prepare)
  return folder, trained


TIMED = ('seconds', 'tokens_per_s')


def untimed(lines: list[dict]) -> list[dict]:
  """Lines of metrics.jsonl without what a clock says."""
  return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]


def same(a, b) -> bool:
  """Whether two trees hold the same bits."""
  bits = lambda x: np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x).tobytes()
  return jax.tree.structure(a) == jax.tree.structure(b) and all(
      bits(x) == bits(y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


class Adapted(interface.Base):
  """Logits of a table that is frozen (collection 'base') and a change of it that is learned."""

  vocab: int = 16

  @property
  def layout(self):
    return (('change', (None, None)),)

  def setup(self):
    self.change = self.param('change', nn.initializers.zeros, (self.vocab, self.vocab))

  def init_state(self, batch):
    # A model may need what is frozen to begin.
    return jnp.zeros((batch, 1)) * self.variables['base']['table'][0, 0]

  def first(self, tokens_BT):
    return self.change

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    return carry, (self.variables['base']['table'] + self.change)[tokens_BT]


class _Layer(nn.Module):

  @nn.compact
  def __call__(self, x_BTD, inputs):
    carry_BD, index, bad_BT = inputs
    weight = self.param('weight', nn.initializers.normal(0.1), (4, 4))
    # Only the second layer breaks, and only on one token.
    burst_BT = jnp.exp(jnp.where(bad_BT & (index == 1), 1e3, -1e3))
    x_BTD = x_BTD + x_BTD @ weight + burst_BT[..., None]
    return x_BTD, carry_BD + x_BTD.sum(1)


class Fragile(interface.Base):
  """Three layers, of which the second gives infinity where it reads the token 7. The carry sums what was read."""

  vocab: int = 16

  @property
  def align(self):
    return 1

  @property
  def layout(self):
    return (('embed|layers/weight', (None, None)),)

  def setup(self):
    self.embed = self.param('embed', nn.initializers.normal(0.1), (self.vocab, 4))
    scan = nn.scan(_Layer, variable_axes={'params': 0}, split_rngs={'params': True}, length=3)
    self.layers = scan(name='layers')

  def init_state(self, batch):
    return jnp.zeros((3, batch, 4))

  def __call__(self, carry, tokens_BT, reset_BT=None, mask_BT=None, *, parallel=True, aligned=False):
    bad_LBT = jnp.broadcast_to(tokens_BT == BAD, (3, *tokens_BT.shape))
    x_BTD, carry = self.layers(self.embed[tokens_BT], (carry, jnp.arange(3), bad_LBT))
    return carry, x_BTD @ self.embed.T


def batch(rows=8, length=8, seed=0, vocab=16) -> dict:
  """Random tokens without the bad one; every token scored, the first of a row a document's first."""
  rng = np.random.default_rng(seed)
  draw = lambda: rng.choice([t for t in range(vocab) if t != BAD], (rows, length)).astype(np.int32)
  reset_BT = np.zeros((rows, length), bool)
  reset_BT[:, 0] = True
  return dict(tokens_BT=draw(), targets_BT=draw(), weights_BT=np.ones((rows, length), np.float32), reset_BT=reset_BT,
              position_BT=np.tile(np.arange(length, dtype=np.int32), (rows, 1)))
