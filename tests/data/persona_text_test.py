"""Questions about generated persons are the task's own, in text, and only their letters are asked for."""

import json
import pathlib

import numpy as np
import pytest

from latentmem import data, tasks
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.tasks import persona_words as words
from tests import tokenizers

TASK = dict(kind='persona', people=8, preferences=1, evolutions=0, ideas=0, attributes=1, plans=0)
TEMPLATE = ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}")


def made(**chosen):
  return data.make(dict(kind='persona_text', task=TASK, heldout_examples=12) | chosen)


@pytest.fixture(scope='module')
def coder(tmp_path_factory):
  """A folder with a tokenizer and a chat template."""
  folder = tmp_path_factory.mktemp('coder')
  text = 'Recommend some music to me now. (a) calm jazz (b) Answer with its letter alone. What is my job?'
  tokenizers.write(folder, text, 330, ('<|user|>', '<|assistant|>', '<end>'))
  (folder / 'tokenizer_config.json').write_text(json.dumps(dict(chat_template=TEMPLATE, eos_token='<end>')))
  return str(folder)


@pytest.fixture(params=['bytes', 'huggingface'])
def source(request, coder):
  if request.param == 'bytes':
    return made()
  return made(tokens=dict(kind='huggingface', path=coder), chat=coder, words=400)


def texts(source, row):
  """What stands before an answer, with what that begins with; and what may be asked for."""
  read_T, first = row['tokens_BT'][1:], source.asks.question
  before = [*read_T[:first][read_T[:first] != NOTHING], read_T[first]]
  said = read_T[first + 1:]
  return source.coder.decode(before), source.coder.decode(said[said != NOTHING])


def test_a_row_is_the_tasks_question_in_text(source):
  persona = tasks.make(**TASK)
  chat = source.chat
  for i in range(12):
    before, said = texts(source, source.held(i))
    rng = np.random.default_rng((1, 0, i))
    u = int(rng.integers(8))
    question = persona.ask(persona.person(u), rng, False)
    text = f'{question.text}\nAnswer with its letter alone.'
    assert before == (f'<|user|>{text}<end><|assistant|>' if chat else f'Question: {text}\nAnswer:')
    # The end is asked for and not read.
    letter = words.LETTERS[question.right]
    assert said == (letter if chat else f' {letter}')
    assert source.held(i)['tokens_BT'][0] == source.vocab + u and source.vocab == (400 if chat else 256)


def test_only_what_tells_letters_apart_is_asked_for(source):
  rows = [source.held(i) for i in range(12)]
  asked = {source.coder.decode(row['targets_BT'][row['weights_BT'] > 0]) for row in rows}
  assert {row['weights_BT'].sum() for row in rows} == {1.0} and len(asked) == 4
  assert all(any(letter in text for letter in 'abcd') for text in asked)
  batch = next(iter(source.train(6, source.asks.length)))
  assert batch['weights_BT'].sum() == 6 and len(set(batch['tokens_BT'][:, 0])) > 1
  again = next(iter(source.train(3, source.asks.length, start=0)))
  np.testing.assert_array_equal(batch['tokens_BT'][:3], again['tokens_BT'])
  held = list(source.heldout(8, source.asks.length))
  assert len(held) == 2 and held[1]['weights_BT'].sum() == 4


def test_each_question_is_asked_with_every_letter_of_own_and_other_memories(source):
  own, other = source.asked(), source.asked(4)
  assert len(own) == 12 and [each.person for each in own] == sorted(each.person for each in own)
  for mine, theirs in zip(own, other, strict=True):
    assert len(mine.rows) == 4 and mine.category in tasks.make(**TASK).types
    said = [texts(source, row)[1].strip() for row in mine.rows]
    assert said == list(words.LETTERS)
    for row, swapped in zip(mine.rows, theirs.rows, strict=True):
      persons = row['tokens_BT'][0] - source.vocab, swapped['tokens_BT'][0] - source.vocab
      assert persons[0] == mine.person and persons[0] // 4 != persons[1] // 4 and 0 <= persons[1] < 8
      np.testing.assert_array_equal(row['tokens_BT'][1:], swapped['tokens_BT'][1:])


def test_a_history_is_told_whole_in_the_tokens_it_may_have(source):
  told_T = source.history(3, 6000)
  text = source.coder.decode(told_T)
  assert 4500 < len(told_T) <= 6000
  # A value of one word is written as it is; every fact of the person stands there.
  for value in tasks.make(**TASK).person(3).facts().values():
    assert words.plain(value).lower() in text.lower()
  assert text.startswith('<|user|>[' if source.chat else 'User: [')
  assert ('<|assistant|>' if source.chat else '\nAssistant: ') in text
  with pytest.raises(InputError, match='50 tokens of .* have no room'):
    source.history(3, 50)


def test_what_it_is_decides_the_fingerprint(coder, tmp_path):
  hf = dict(kind='huggingface', path=coder)
  for name in ('tokenizer.json', 'tokenizer_config.json'):
    (tmp_path / name).write_bytes(pathlib.Path(coder, name).read_bytes())
  moved = dict(tokens=hf | dict(path=str(tmp_path)), chat=str(tmp_path))
  assert made(tokens=hf, chat=coder).fingerprint == made(**moved).fingerprint
  found = {made(**chosen).fingerprint for chosen in (
      {}, dict(question=400), dict(answer=9), dict(tokens=hf), dict(tokens=hf, chat=coder), dict(heldout_seed=1),
      dict(task=TASK | dict(first=4)))}
  assert len(found) == 7
  fixed = lambda: made(tokens=hf, chat=str(tmp_path), question=400).fingerprint
  before, file = fixed(), tmp_path / 'tokenizer_config.json'
  file.write_text(file.read_text().replace('%}<|assistant|>', '%}<|user|>'))
  assert fixed() != before


@pytest.mark.parametrize('chosen, said', [
    (dict(task=dict(kind='recall')), "what the task 'persona' asks, not 'recall'"),
    (dict(answer=1), 'answer=2 or more'),
    (dict(question=-1), 'question=0 or more'), (dict(words=100), 'another tokenizer'),
    (dict(heldout_examples=0), 'heldout_examples >= 1'), (dict(chat='nowhere'), 'has no chat template')])
def test_what_does_not_fit_is_refused(chosen, said):
  with pytest.raises(InputError, match=said):
    made(**chosen).describe()


def test_sizes_that_are_too_small_are_told():
  with pytest.raises(InputError, match='do not fit question=20; question=0 takes what they need, [12]'):
    made(question=20).held(0)
  with pytest.raises(InputError, match='answer=6 would do'):
    made(answer=5).held(0)
  with pytest.raises(InputError, match='Rows of persona_text have'):
    made(question=300).train(2, 64)
