"""What slots hold, in the base's own words: what each alone would add to the prompt, and the tokens nearest to it.

  LN_h(v + MLP(v)),  v = W_Vh m_hn                  what head h adds where it looks at slot n and no other: see `lpm`
U people, H heads, N slots, M numbers of a slot, D width, V vocabulary, C tokens that are named.
"""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.personal import lpm


def alone(shared: dict, slots_UHNM: jax.Array) -> jax.Array:
  """What each slot alone adds to the prompt, [U, H, N, D], before it is brought to the size of words."""
  people, heads, slots, size = slots_UHNM.shape
  # One slot is read whatever is asked.
  one_BH1M = jnp.swapaxes(slots_UHNM, 1, 2).reshape(people * slots, heads, 1, size)
  added_BHD, _ = lpm.read(shared, one_BH1M, jnp.zeros((people * slots, shared['query'].shape[1])))
  return jnp.swapaxes(added_BHD.reshape(people, slots, heads, -1), 1, 2)


def nearest(vectors_D: jax.Array, embed_VD: jax.Array, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
  """(tokens, cosines), [..., C]: whose embeddings point most nearly where the vectors do."""
  unit = lambda a: a / (jnp.linalg.norm(a, axis=-1, keepdims=True) + 1e-12)
  cosine, token = jax.lax.top_k(unit(vectors_D) @ unit(embed_VD).T, count)
  return np.asarray(token), np.asarray(cosine)
