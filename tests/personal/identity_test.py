"""A fingerprint is of names, dtypes, shapes and every number."""

import jax.numpy as jnp
import numpy as np

from latentmem.personal.identity import fingerprint


def test_anything_else_has_another_fingerprint():
  tree = dict(a=np.arange(4.0), b=dict(c=np.ones((2, 3), np.float32)))
  others = [dict(tree, a=np.arange(4.0) + 1e-9), dict(tree, a=np.arange(4)), dict(tree, a=np.arange(4.0).reshape(2, 2)),
            dict(d=tree['a'], b=tree['b']), dict(a=tree['a'])]
  prints = [fingerprint(each) for each in (tree, *others)] + [fingerprint(tree, kind='x')]
  assert len(set(prints)) == len(prints)


def test_the_same_numbers_have_the_same_wherever_they_lie():
  a = np.arange(6, dtype=np.float32).reshape(2, 3)
  assert fingerprint(dict(a=a)) == fingerprint(dict(a=jnp.asarray(a))) == fingerprint(dict(a=np.asfortranarray(a)))
  assert fingerprint(dict(a=a)) == fingerprint(dict(a=a.astype('>f4')))
