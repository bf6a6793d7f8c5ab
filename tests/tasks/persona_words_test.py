"""The vocabulary is closed, small and without doubles."""

import re

from latentmem.tasks import persona_words as words


def test_every_word_is_there_once():
  assert len(words.WORDS) == len(set(words.WORDS)) < 1000
  assert all(words.WORDS[number] == word for word, number in words.NUMBER.items())
  assert words.tokens('calm jazz .') == [words.NUMBER[word] for word in ('calm', 'jazz', '.')]
  assert words.spoken(words.tokens('i like calm jazz .')) == 'i like calm jazz .'


def test_pools_are_of_one_size_so_that_none_is_likelier():
  assert {len(items) for items in (*words.ITEMS.values(), *words.VALUES.values())} == {12}


def test_plain_english_has_capitals_and_no_gaps():
  assert words.plain(words.tokens('in may i will travel to peru . sure , done .')) == (
      'In May I will travel to Peru. Sure, done.')
  text = words.plain(range(6, len(words.WORDS)))
  assert not re.search(r' [.,?]|<', text)
