"""A dataset of sixty short texts, as tfds wants it: a builder in a package that can be imported."""

import numpy as np
import tensorflow_datasets as tfds


class TinyTexts(tfds.core.GeneratorBasedBuilder):
  """Texts named by their numbers."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(
        dict(text=tfds.features.Text(), number=np.int64)))

  def _split_generators(self, dl_manager):
    return dict(train=self._generate_examples(0, 60), validation=self._generate_examples(60, 65))

  def _generate_examples(self, start, stop):
    for i in range(start, stop):
      yield i, dict(text=f'text number {i}, café', number=i)
