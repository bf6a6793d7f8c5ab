"""A run of a second, to be killed."""

import ml_collections

from tests.train import small


def get_config() -> ml_collections.ConfigDict:
  return ml_collections.ConfigDict(small.config(steps=200, save_every=7, evaluate_every=50, telemetry_every=20))
