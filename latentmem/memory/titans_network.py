"""Titans with another network as the memory, its gradients by automatic differentiation: general, and slow.

The equations are those of `titans`, with f(M; x) = x + LN(N(M; x)) for any N. Tokens are read in turn; a network that
proves itself deserves matrices of its own, as the MLP has in `ops/fast_weights.py`.
"""

import functools

from latentmem.base.errors import check_known, InputError
from latentmem.memory import interface, titans
from latentmem.ops import networks

INSIDE = dict(mlp=networks.mlp, swiglu=networks.swiglu, residual=networks.residual)


class TitansNetwork(titans.Titans):
  """Titans whose memory is `inside`.

  Attributes:
    inside: N: 'swiglu', 'residual' (`depth` square layers), or 'mlp' (what `titans` has).
  """

  inside: str = 'swiglu'

  def setup(self):
    check_known(self.inside, INSIDE, 'titans_network', 'inside')
    super().setup()
    for field in ('layer_scale', 'weight_residual'):
      if getattr(self, field):
        raise InputError(f'titans_network has no {field}; titans has.')

  @property
  def network(self):
    return functools.partial(networks.recall, inside=INSIDE[self.inside])

  @property
  def shapes(self):
    width = self.head_shape[1]
    inner = self.expansion * width
    return dict(mlp=networks.widths(width, self.depth, self.expansion),
                swiglu=[(width, inner), (width, inner), (inner, width)],
                residual=[(width, width)] * self.depth)[self.inside]

  many = many_whole = interface.Base.in_turn
