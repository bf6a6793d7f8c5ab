"""The needle lies where it should, once, and what is asked is its value and nothing else."""

import collections
import os
import re
import uuid

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError

NEEDLE = re.compile(r'One of the special magic (number|uuid)s for ([a-z]+-[a-z]+) is: ([0-9a-f-]+)\.')
SENTENCES = ['The grass is green.', 'The sky is blue.', 'The sun is yellow.', 'Here we go.', 'There and back again.']


def read(example):
  """The document with its answer's last byte, and the answer."""
  asked = np.flatnonzero(example.weights_T)
  answer = bytes(example.targets_T[asked].astype(np.uint8)).decode()
  return bytes(example.tokens_T[:asked[-1] + 1].astype(np.uint8)).decode() + answer[-1], answer


@pytest.fixture(scope='module')
def essays(tmp_path_factory):
  folder = tmp_path_factory.mktemp('essays')
  (folder / 'a.txt').write_text('Once there was\na mill. It stood  on a hill! Who built it? Nobody knows. ' * 5)
  (folder / 'b.txt').write_text('A river ran by. Geese swam there. ' * 5)
  return str(folder)


@pytest.mark.parametrize('form', ['passkey', 'number', 'uuid'])
@pytest.mark.parametrize('length', [600, 1024, 4096])
def test_the_question_is_about_the_one_needle(form, length, essays):
  task = tasks.make('needle', form=form, length=length, haystack='' if form == 'passkey' else essays)
  values = set()
  for i in range(20):
    example = task.draw(np.random.default_rng(i))
    text, answer = read(example)
    assert len(text) == length + 1, 'the document fills the length'
    (what, key, value), = NEEDLE.findall(text)
    assert value == answer and text.count(key) == 3 and text.count(value) == 2
    assert text.startswith(f'A special magic {what} is hidden within the following text. Make sure to memorize it.')
    assert text.endswith(f'\nWhat is the special magic {what} for {key} mentioned in the provided text? '
                         f'The special magic {what} for {key} mentioned in the provided text is {value}')
    assert (uuid.UUID(value).version == 4 and str(uuid.UUID(value)) == value if form == 'uuid'
            else re.fullmatch('[1-9][0-9]{6}', value))
    values.add(value)
  assert len(values) == 20


def test_targets_at_asked_places_follow_in_the_text():
  tokens_T, targets_T, weights_T = tasks.make('needle').draw(np.random.default_rng(0))
  asked = np.flatnonzero(weights_T)
  assert asked.tolist() == list(range(505, 512)) and set(weights_T.tolist()) == {0.0, 1.0}
  np.testing.assert_array_equal(targets_T[asked[:-1]], tokens_T[asked[1:]])


def test_the_noise_is_the_five_sentences():
  text, _ = read(tasks.make('needle', length=2048).draw(np.random.default_rng(0)))
  body = text.split('afterwards.\n')[1].split('\nWhat is')[0]
  hay = NEEDLE.sub('', body).replace('\n', ' ')
  hay = re.sub(' +', ' ', hay)
  endless = ' '.join(SENTENCES * 40)
  assert endless.startswith(hay.strip()) and len(hay) > 1500


@pytest.mark.parametrize('depth', [0.0, 0.25, 0.5, 1.0])
def test_a_given_depth_is_kept(depth, essays):
  for fields in (dict(form='passkey', length=4096), dict(form='number', length=4096, haystack=essays)):
    text, _ = read(tasks.make('needle', depth=depth, **fields).draw(np.random.default_rng(1)))
    body = text.split('afterwards.\n')[1].split('\nWhat is')[0]
    found = NEEDLE.search(body)
    # A sentence is the grain of depth.
    assert abs(found.start() / (len(body) - len(found[0])) - depth) < 100 / len(body)
    assert depth not in (0, 1) or (found.start() == 0 if depth == 0 else body.endswith(found[0]))


def test_needles_stand_between_sentences():
  task = tasks.make('needle', length=1024)
  for i in range(40):
    text, _ = read(task.draw(np.random.default_rng(i)))
    before = text.split('afterwards.\n')[1].split('One of the special')[0].replace('\n', ' ')
    assert before == '' or any(before.rstrip().endswith(s) for s in SENTENCES) or before.startswith(' '.join(SENTENCES))


def test_all_forty_depths_are_drawn_evenly():
  task = tasks.make('needle', length=8192, prompt='short')
  n = 800
  seen = collections.Counter()
  for i in range(n):
    text, _ = read(task.draw(np.random.default_rng(i)))
    found = NEEDLE.search(text)
    seen[round(39 * found.start() / (text.index('\nThe special') - len(found[0])))] += 1
  assert set(seen) == set(range(40))
  # Poisson with mean 20: five standard deviations.
  assert max(seen.values()) < 20 + 5 * 20 ** 0.5


def test_training_lengths_vary_and_leave_the_rest_blank():
  task = tasks.make('needle', length=800, shortest=500)
  sizes = set()
  for i in range(100):
    example = task.draw(np.random.default_rng(i))
    text, answer = read(example)
    sizes.add(len(text) - 1)
    assert NEEDLE.search(text)[3] == answer
    assert not example.tokens_T[len(text) - 1:].any() and not example.weights_T[len(text) - 1:].any()
  assert min(sizes) >= 500 and max(sizes) <= 800 and len(sizes) > 60


def test_the_least_length_holds_every_key():
  for form in ('passkey', 'uuid'):
    least = tasks.make('needle', form=form, length=1000).least
    task = tasks.make('needle', form=form, length=least)
    for i in range(50):
      text, answer = read(task.draw(np.random.default_rng(i)))
      assert NEEDLE.search(text)[3] == answer


def test_essays_begin_at_any_sentence(essays):
  task = tasks.make('needle', form='number', length=600, depth=1.0, haystack=essays)
  starts = {read(task.draw(np.random.default_rng(i)))[0].split('afterwards.\n')[1][:12] for i in range(60)}
  assert starts == {'Once there w', 'It stood on ', 'Who built it', 'Nobody knows', 'A river ran ', 'Geese swam t'}


@pytest.mark.skipif('LATENTMEM_DATA' not in os.environ, reason='needs LATENTMEM_DATA, a folder with books/*.txt')
def test_books_are_a_haystack():
  task = tasks.make('needle', form='uuid', length=16384, haystack=os.environ['LATENTMEM_DATA'] + '/books')
  document = bytes(task.draw(np.random.default_rng(0)).tokens_T.astype(np.uint8)).decode(errors='replace')
  assert len(NEEDLE.findall(document)) == 1


@pytest.mark.parametrize('fields, says', [
    (dict(form='pass-key'), "did you mean 'passkey'"), (dict(prompt='long'), 'full'), (dict(length=100), 'at least'),
    (dict(shortest=100), 'at least'), (dict(shortest=600), 'at most'), (dict(depth=1.5), '0 to 1'),
    (dict(haystack='x'), 'passkey')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('needle', **fields)


def test_a_haystack_that_is_not_there_is_named(tmp_path):
  (tmp_path / 'empty.txt').write_text(' \n')
  (tmp_path / 'bad.txt').write_bytes(b'caf\xe9')
  for name, says in (('none', 'No text'), ('empty.txt', 'no words'), ('bad.txt', 'UTF-8')):
    with pytest.raises(InputError, match=says):
      tasks.make('needle', form='number', haystack=str(tmp_path / name)).draw(np.random.default_rng(0))
