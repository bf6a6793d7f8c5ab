"""The memory alone mixes the tokens (Titans' LMM)."""

from latentmem.model.compose import interface


class Plain(interface.Base):
  """y = M(x)."""

  def setup(self):
    self.memory = self.make_memory()

  def init_state(self, batch, dtype='float32'):
    return dict(memory=self.memory.init_state(batch, dtype))

  def __call__(self, state, x_BTD, reset_BT=None, mask_BT=None, *, write_BT=None, parallel=True, aligned=False,
               below=()):
    held, y_BTD, *lent = self.memory(state['memory'], x_BTD, reset_BT, mask_BT, write_BT=write_BT, parallel=parallel,
                                     aligned=aligned, below=below)
    return dict(memory=held), y_BTD, *lent
