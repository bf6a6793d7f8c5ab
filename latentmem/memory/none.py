"""Nothing is remembered, and the answer is nothing: what a memory is compared with."""

import jax.numpy as jnp

from latentmem.memory import interface


class Nothing(interface.Base):
  """Keeps no state, has no parameters, answers zeros."""

  takes_source = True

  def init_cell(self, batch):
    return ()

  def drive(self, tail, x_BTD, reset_BT, mask_BT, source_BTD=None):
    return tail, ()

  def asked(self, drive_BT):
    return drive_BT

  def one(self, cell, drive_B, fresh, reset_B):
    return cell, jnp.zeros(reset_B.shape)

  def many(self, cell, drive_BT, fresh, reset_BT):
    return cell, jnp.zeros(reset_BT.shape)

  def answer(self, y_BT, x_BTD):
    return jnp.zeros_like(x_BTD)
