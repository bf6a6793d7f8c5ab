"""The compiled programs of training: one state, one step, one look at the memories.

B rows, T tokens.
"""

import functools

import jax
import jax.numpy as jnp

from latentmem.base import arrays, flops
from latentmem.train import blame, losses, optim, telemetry
from latentmem.train import state as states
from latentmem.train import step as steps
from latentmem.train.placement import Placement
from latentmem.train.settings import Train


class Program:
  """A model's training on a mesh, compiled when first used.

  Attributes:
    shapes: Of the train state, with shardings.
    frozen: Variables that stay as they are, already placed.
  """

  def __init__(self, model, settings: Train, place: Placement, frozen: dict | None = None):
    place.check(settings.rows, settings.length)
    self.model, self.settings, self.place, self.frozen = model, settings, place, frozen or {}
    self._optimizer = optim.adamw(settings.weight_decay, settings.undecayed, settings.beta1, settings.beta2,
                                  settings.epsilon)
    self._create = functools.partial(states.create, model, self._optimizer, settings.rows)
    shapes = jax.eval_shape(self._create, jax.random.key(0), self.frozen)
    self._axes = states.batch_axes(model, shapes.params | self.frozen)
    self._shardings = place.of_state(model, self._optimizer, shapes, settings.rows, self.frozen)
    self.shapes = jax.tree.map(lambda s, where: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=where), shapes,
                               self._shardings)
    self._compiled = self._traced = None
    self._watch = jax.jit(self._in_context(functools.partial(telemetry.watch, model)))

  def create(self, seed: int, params: dict | None = None) -> states.TrainState:
    """The state before the first step, with new parameters where none are given."""
    create = jax.jit(self._in_context(self._create), out_shardings=self._shardings)
    return create(jax.random.key(seed), self.frozen, params)

  def step(self, state, batch):
    """-> state, measured. The state that is given may not be used again."""
    if self._compiled is None:
      self._compiled = self._trace(batch).lower().compile()
    return self._compiled(state, batch, self.frozen)

  def watch(self, state, batch) -> dict:
    """Telemetry of one batch, read with the carry as it stands."""
    return self._watch(state.params | self.frozen, state.carry, batch)

  def lowered(self, batch, platform: str):
    """The step, lowered for a platform that need not be this machine's; `batch` may be shapes."""
    return self._trace(batch).lower(lowering_platforms=(platform,))

  def flops(self, batch) -> int:
    """Operations of one step."""
    return flops.of(self._trace(batch).jaxpr)

  def _in_context(self, traced):
    def inside(*args):
      with self.place.context():
        return traced(*args)
    return inside

  def _trace(self, batch):
    if self._traced is None:
      s = self.settings
      schedule = optim.schedule(s.schedule, s.learning_rate, s.steps, s.warmup, s.final, s.decay)
      step = functools.partial(steps.train_step, self.model, self._optimizer, schedule, self._axes, clip=s.clip,
                               accumulate=s.accumulate, z_loss=s.z_loss, skips_allowed=s.skips_allowed)
      where = self._shardings, self.place.everywhere
      stepped = jax.jit(self._in_context(step), donate_argnums=0, out_shardings=where)
      self._traced = stepped.trace(self.shapes, batch, self.frozen)
    return self._traced

  def culprit(self, state, batch) -> str:
    """What went non-finite first in the step that stopped training: `batch`, and the state it left."""
    for name, tree in (('parameter', state.params), ('carry', state.carry)):
      for path, leaf in arrays.named(tree).items():
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and not bool(jnp.isfinite(leaf).all()):
          return f'{name} {path}'
    rng = jax.random.fold_in(state.rng, state.step - 1)
    total = losses.total_weight(batch['weights_BT'])
    loss = lambda params: steps.loss_of(self.model, params | self.frozen, state.carry, batch, rng, total,
                                        self.settings.z_loss)[0]
    place = blame.first_nonfinite(loss, state.params)
    if place is not None:
      return str(place)
    return 'nothing that could be found when the step was repeated'
