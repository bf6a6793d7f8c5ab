"""The page writes results for readers, and lets no text act as markup."""

import html.parser

import pytest

from latentmem.study import page
from tests.study import fake_run

HOSTILE = '</pre><script>alert(1)</script>"\'&'


class Reader(html.parser.HTMLParser):
  """Collects a page's tags, what they refer to, and its text; complains of tags that do not match."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.refers, self.text, self._open = [], [], '', []
    self.feed(text)
    assert not self._open

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    self.refers += [v for k, v in attributes if k in ('src', 'href', 'srcset', 'action', 'data')]
    if tag not in ('meta', 'img', 'input'):
      self._open.append(tag)

  def handle_endtag(self, tag):
    assert self._open.pop() == tag

  def handle_data(self, data):
    self.text += data


def test_text_never_acts_as_markup():
  shown = dict(pieces=[HOSTILE], surprise_before=[[1.0]])
  text = page.render(
      name=HOSTILE, config=dict(note=HOSTILE, model=dict(kind=HOSTILE)), result={HOSTILE: HOSTILE},
      drawn=dict(passage=(HOSTILE, b'\x89PNG' + bytes(30))), absent={HOSTILE: HOSTILE}, passage=shown, sample=HOSTILE)
  read = Reader(text)
  assert 'script' not in read.tags
  assert read.text.count('alert(1)') >= 7


def test_headlines_come_from_the_result():
  text = Reader(page.render(name='a', config=fake_run.config(), result=fake_run.result(), drawn={}, absent={},
                            passage=None, sample=None)).text
  for shown in ('2.205', '1,234,567', 'decoder · mag · titans', '4.25 MiB (4,456,448)', 'seed 0', '4660a74'):
    assert shown in text


def test_a_run_that_has_not_ended_says_so():
  text = page.render(name='a', config={}, result=None, drawn={}, absent={}, passage=None, sample=None)
  assert 'has not ended' in Reader(text).text


@pytest.mark.parametrize('name, value, want', [
    ('parameters', 1234567, '1,234,567'), ('seed', 12345, '12345'), ('tokens_per_s', 7866.24, '7,866'),
    ('heldout.bits_per_byte', 2.20514, '2.205'), ('peak_memory_bytes', 1610612736, '1.5 GiB (1,610,612,736)'),
    ('peak_memory.host', 2048, '2 KiB (2,048)'),
    ('flops', 3.2e14, '320 tera operations'), ('commit', 'abc', 'abc'), ('ok', True, 'yes'), ('commit', None, 'none'),
    ('devices', ['a', 'b'], '["a", "b"]'), ('seconds', 0, '0')])
def test_numbers_are_written_with_their_units(name, value, want):
  assert page.written(name, value) == want


def test_flat_names_the_leaves():
  assert page.flat(dict(a=dict(b=1, c=dict(d=2)), e={})) == {'a.b': 1, 'a.c.d': 2, 'e': {}}
