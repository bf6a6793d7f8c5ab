"""A TensorFlow Datasets corpus, read without TensorFlow (`as_data_source`). An example is a document.

Names are 'split/number', by the order in which the prepared dataset keeps its examples.
"""

import dataclasses
from typing import ClassVar

from latentmem.base.errors import hint, InputError
from latentmem.data.corpora import interface


@dataclasses.dataclass(frozen=True)
class Tfds(interface.Base):
  """A prepared dataset of texts.

  Attributes:
    heldout: Share of examples held out, by a hash of 'split/number', where there is no heldout_split.
    name: As tfds.builder takes it: 'wiki40b/en', 'lm1b:1.1.0'.
    split: What is trained on, such as 'train' or 'train[:10%]'.
    heldout_split: What is held out, such as 'validation'; '' holds out a share.
    field: The feature that holds the text.
    data_dir: Where prepared datasets are; '' is tfds's own place.
    download: Whether a dataset that is not there is fetched and prepared (as array_record, which needs no TensorFlow).
  """

  name: str = ''
  split: str = 'train'
  heldout_split: str = ''
  field: str = 'text'
  data_dir: str = ''
  download: bool = False

  short: ClassVar[str] = 'name'

  def __post_init__(self):
    super().__post_init__()
    if not self.name:
      raise InputError("tfds needs the name of a dataset, as in 'tfds:wiki40b/en'.")

  def where(self):
    return f'The dataset {self.name!r}, split {self.split!r}' + (
        f' (held out: {self.heldout_split!r})' if self.heldout_split else '')

  def documents(self):
    builder = self._builder()
    known = list(builder.info.features or {})
    if self.field not in known:
      raise InputError(f'The dataset {self.name!r} has no feature {self.field!r}{hint(self.field, known)}; '
                       f'it has {known}.')
    for split, held in ((self.split, False), (self.heldout_split, True)):
      if not split:
        continue
      for i, example in enumerate(self._examples(builder, split)):
        text = example[self.field]
        if not isinstance(text, (bytes, str)):
          raise InputError(f'The feature {self.field!r} of {self.name!r} holds {type(text).__name__}, not text.')
        text = text.decode('utf-8', errors='replace') if isinstance(text, bytes) else text
        yield interface.Document(f'{split}/{i}', text, held if self.heldout_split else None)

  def _builder(self):
    try:
      import tensorflow_datasets as tfds
    except ImportError as e:
      raise InputError('A tfds corpus needs the package: pip install tensorflow-datasets.') from e
    try:
      builder = tfds.builder(self.name, data_dir=self.data_dir or None, try_gcs=False,
                             **(dict(file_format='array_record') if self.download else {}))
    except (tfds.core.registered.DatasetNotFoundError, ValueError, AssertionError) as e:
      raise InputError(f'There is no dataset {self.name!r}: {_first_line(e)}') from e
    if not builder.is_prepared():
      if not self.download:
        raise InputError(f'The dataset {self.name!r} is not prepared in {builder.data_path}. Another data_dir would '
                         'do, or download=True, which fetches it.')
      builder.download_and_prepare()
    return builder

  def _examples(self, builder, split: str):
    try:
      return builder.as_data_source(split=split)
    except (ValueError, KeyError) as e:
      raise InputError(f'The split {split!r} of {self.name!r} cannot be read: {_first_line(e)} '
                       f'It has {list(builder.info.splits)}.') from e
    except (ImportError, NotImplementedError) as e:
      raise InputError(f'The dataset {self.name!r} is kept in a form that cannot be read without TensorFlow; prepared '
                       f"with file_format='array_record' it can. {_first_line(e)}") from e


def _first_line(error: Exception) -> str:
  return (str(error).strip() or type(error).__name__).splitlines()[0]
