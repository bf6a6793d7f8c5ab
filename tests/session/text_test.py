"""Text streamed token by token is the text decoded at once, and each character comes as soon as it is whole."""

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from latentmem.session import text


def bytes_text(ids):
  return bytes(ids).decode('utf-8', errors='replace')


# Words that carry their space, which a text's first word drops: how sentencepiece writes. 3 has no text at all.
WORDS = {0: ' the', 1: ' me', 2: 'mory', 3: ''}


def words_text(ids):
  return ''.join(WORDS[i] for i in ids).removeprefix(' ')


def streamed(decode, ids):
  return list(text.streamed(ids, decode))


@given(st.text())
@settings(deadline=None)
def test_streamed_bytes_are_the_text(whole):
  assert ''.join(streamed(bytes_text, list(whole.encode('utf-8', 'replace')))) == whole.encode(
      'utf-8', 'replace').decode()


@given(st.lists(st.one_of(st.integers(0, 255), st.sampled_from([0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0xFF])), max_size=60))
@settings(deadline=None)
def test_bytes_that_are_no_text_come_out_as_decoded_at_once(ids):
  assert ''.join(streamed(bytes_text, ids)) == bytes_text(ids)


def test_a_character_comes_with_its_last_byte_and_not_before():
  assert streamed(bytes_text, list('a€b'.encode())) == ['a', '', '', '€', 'b', '']


def test_what_will_never_be_text_is_not_waited_for():
  assert ''.join(streamed(bytes_text, [0xFF] * 10)[:10]) == '\ufffd' * (10 - text.UNFINISHED)


def test_an_unfinished_character_is_told_at_the_end():
  assert streamed(bytes_text, [97, 0xE2, 0x82]) == ['a', '', '', '\ufffd']


@pytest.mark.parametrize('ids', [[0, 1, 2, 0], [3, 1, 2, 3, 3, 0], [1, 3, 0]])
def test_words_keep_the_spaces_between_them(ids):
  assert ''.join(streamed(words_text, ids)) == words_text(ids)


def test_memory_does_not_grow_with_the_stream():
  sizes = []
  stream = text.Streamer(lambda ids: sizes.append(len(ids)) or bytes_text(ids))
  for token in b'abc' * 1000 + b'\xff' * 1000 + '€'.encode() * 1000 + b'\x80' * 1000:
    stream.push(token)
  assert max(sizes) <= 2 * text.MOST
