"""Bytes come back as the text they were."""

import numpy as np

from latentmem.data import tokens


def test_text_comes_back():
  coder = tokens.make('bytes')
  for text in ('plain', 'café 漢字 🙂\r\n\0', ''):
    ids = coder.encode(text)
    assert ids.dtype == np.int32 and len(ids) == len(text.encode()) and coder.decode(ids) == text
  assert coder.vocab == 256 and coder.encode('\xff').max() < 256


def test_broken_text_is_shown():
  assert tokens.make('bytes').decode([0x61, 0xff, 0x62]) == 'a\ufffdb'
  assert tokens.make('bytes').pieces([0x61, 0xff]) == ['a', '\ufffd']
