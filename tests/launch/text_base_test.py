"""A folder of a Qwen3 with a tokenizer of its own is asked in text, and what it remembers of a person is free text."""

import functools
import json

import jax
import pytest

from configs import personal as config_file
from latentmem import data, model, personal
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import interface, qwen3_weights
from latentmem.tasks import personamem
from launch import parts
from launch.personalizing import arms, bases, choosing, comparison, histories, profiles, told
from tests import tokenizers
from tests.launch.commands import launch
from tests.tasks import personamem_test
from tests.train import small

pytest.importorskip('jinja2')

FIELDS = model.fields('qwen3', vocab=400, width=16, layers=1, heads=2, kv_heads=1, head_width=8, hidden=16, context=64,
                      remat='none', dtype='float32', param_dtype='float32')
TASK = dict(kind='persona', people=8, preferences=1, evolutions=0, ideas=0, attributes=1, plans=0)
TEMPLATE = ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}")
ADAPTERS = dict(lpm=dict(heads=2, slots=3, slot_width=4, key_width=4), lora=dict(rank=4), prompt=dict(tokens=2),
                none=dict(tokens=2))
KINDS = 'lora', 'none'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Holds qwen/, which nobody trained, with a tokenizer and a chat template."""
  folder = tmp_path_factory.mktemp('text')
  text = 'Recommend some music to me now. (a) calm jazz (b) Answer with its letter alone. What is my job? I like it.'
  tokenizers.write(folder, text, 340, ('<|user|>', '<|assistant|>', '<end>'))
  params = interface.init_params(model.make(**FIELDS), jax.random.key(0))
  settings = dict(chat_template=TEMPLATE, eos_token='<end>')
  qwen3_weights.save(folder / 'qwen', FIELDS, params, files={
      'tokenizer.json': (folder / 'tokenizer.json').read_bytes(),
      'tokenizer_config.json': json.dumps(settings).encode()})
  return folder


@pytest.fixture(scope='module')
def base(folder):
  return bases.load(str(folder / 'qwen'), parts.mesh(1, 1))


def config_of(base, chat=''):
  config = config_file.get_config('lpm').to_dict()
  config['mesh']['fsdp'] = 1
  config['data'] = bases.in_text(data.fields(dict(kind='task', heldout_examples=8, task=TASK)), base, chat)
  config['train'] |= dict(steps=3, rows=4, save_every=0, evaluate_every=2)
  config['evaluate'] |= dict(rows=8)
  config['personal'] |= {kind: personal.fields(kind, **fields) for kind, fields in ADAPTERS.items()}
  return config


@pytest.fixture(scope='module')
def compared(folder, base):
  """Runs of two arms, asked by the chat template, and their table."""
  path = folder / 'runs'
  for kind in KINDS:
    arm = arms.build(config_of(base, bases.chat_of(base.folder)), kind, base)
    told.check(arm.source, histories.named(['2500']))
    assert comparison.one(path / f'{kind}-0', arm, 0, base, small.LeavesAt(-1), told)
  whole = [comparison.kept(path / f'history-{tokens}.json', base, arm.source,
                           functools.partial(comparison.history, base, arm.source, histories.Read(tokens), told))
           for tokens in (0, 2500)]
  return path, comparison.tell(path, KINDS, range(1), whole, base)


def test_the_table_is_that_of_the_closed_vocabulary(compared):
  path, text = compared
  table = records.read_json(path / 'table.json')
  assert [row['arm'] for row in table['rows']] == [*KINDS, 'question alone', 'history 2500']
  assert all(row['asked'] == 8 for row in table['rows']) and 'Qwen3-8B' in text
  none, lora = (records.read_json(path / f'{kind}-0' / 'answers.json') for kind in ('none', 'lora'))
  assert none['own'] == none['swapped'] and lora['own']['bits_per_byte'] != lora['swapped']['bits_per_byte']
  assert none['own']['chance'] == 0.25
  alone, behind = (records.read_json(path / f'history-{n}.json') for n in (0, 2500))
  assert alone['bits_per_byte'] != behind['bits_per_byte']
  config = records.read(path / 'lora-0').config['data']
  assert config['kind'] == 'persona_text' and config['question'] > 40 and config['words'] == 400
  assert config['chat'] == config['tokens']['path'] == table['base']['folder']


def test_a_history_is_read_once_for_all_questions_of_a_person(base, monkeypatch):
  source = data.make(config_of(base)['data'])
  read, whole = [], told.reading.Reader.history
  counted = lambda self, text_T: read.append(len(text_T)) or whole(self, text_T)
  monkeypatch.setattr(told.reading.Reader, 'history', counted)
  told.with_history(base, source, histories.Read(2500))
  assert len(read) == len({each.person for each in source.asked()}) < 8 and 2000 < min(read) <= max(read) <= 2500


def test_a_profile_holds_free_text(compared, tmp_path, monkeypatch):
  monkeypatch.setattr(profiles, 'ANSWER_IN_TEXT', 24)
  room = profiles.opened(str(compared[0] / 'lora-0'), str(tmp_path / 'p'))
  files = tmp_path / 'q.jsonl', tmp_path / 't.jsonl'
  options = ['Zoë, the captain', 'a pilot']
  files[0].write_text(json.dumps(dict(question='Who am I?', options=options, answer=options[0])) + '\n' +
                      json.dumps(dict(question="What's my dog called?", answer='Ünü')))
  files[1].write_text(json.dumps(dict(role='user', content='My job is pilot.')))
  items = room.wording.questions(str(files[0])) + room.wording.turns(str(files[1]))
  coder = room.wording.speech.coder
  said = [coder.decode([*item.question, *item.answer]) for item in items]
  assert said == ['<|user|>Who am I?\n(a) Zoë, the captain\n(b) a pilot\nAnswer with its letter alone.<end>'
                  '<|assistant|>(a)<end>', "<|user|>What's my dog called?<end><|assistant|>Ünü<end>",
                  '<|user|>My job is pilot.<end>']
  before = room.writer.nats(room.writer.blank('bob'), items)
  kept = profiles.absorb(room, 'ann', items, 60)
  # A base that nobody trained has little to be changed to.
  assert kept.items == tuple(items) and (room.writer.nats(kept, items) < before).all()
  assert profiles.recall(room, 'ann', 'Who am I?', options) in options
  seen = profiles.inspect(room, 'ann')
  assert '-> Ünü' in seen and 'Zoë, the captain' in seen and 'My job is pilot.' in seen
  profiles.edit(room, 'ann', 0, '(b)', 1)
  assert coder.decode(room.store.read('ann').items[0].answer).endswith('(b)<end>')
  edited = profiles.edit(room, 'ann', 2, 'My job is baker.', 1).items[2]
  assert coder.decode([*edited.question, *edited.answer]) == '<|user|>My job is baker.<end>'

  def by_heart(profile, question, begins, longest, ended):
    """What a writer does whose likeliest tokens are these."""
    said = []
    for token in coder.encode('Ünü<end>and more')[:longest].tolist():
      if said and ended(said):
        break
      said.append(token)
    return said
  monkeypatch.setattr(room.writer, 'recall', by_heart)
  assert profiles.recall(room, 'ann', "What's my dog called?", []) == 'Ünü'


@pytest.mark.parametrize('line, said', [
    (dict(question='why ' * 300, answer='x'), 'the question has [0-9]+ tokens, and there is room for [0-9]+'),
    (dict(question='Why?', answer='x y z ' * 40), 'the answer has [0-9]+ tokens, and there is room for 95'),
    (dict(question='Why?', answer='\ud800'), 'is no UTF-8'),
    (dict(question='Why?', answer='a', options=list('abcde')), 'has 5 options; it takes at most 4')])
def test_lines_that_do_not_fit_are_named(compared, tmp_path, line, said):
  wording, path = profiles.wording_of(str(compared[0] / 'lora-0')), tmp_path / 'q.jsonl'
  path.write_text(json.dumps(dict(question='Who am I?', answer='Ann')) + '\n' + json.dumps(line))
  with pytest.raises(InputError, match=said) as error:
    wording.questions(str(path))
  assert str(error.value).startswith(f'{path}, line 2')


def test_another_template_than_a_run_was_trained_with_is_refused(compared, folder):
  path = folder / 'qwen' / 'tokenizer_config.json'
  before = path.read_text()
  path.write_text(json.dumps(json.loads(before) | dict(chat_template=TEMPLATE + '!')))
  try:
    with pytest.raises(InputError, match='lora-0 was trained with .* is another now'):
      profiles.wording_of(str(compared[0] / 'lora-0'))
  finally:
    path.write_text(before)


def test_a_run_is_scored_again(compared):
  done = launch('evaluate', f'--workdir={compared[0] / "none-0"}')
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout)['heldout']['tokens'] == 8


def test_personamem_is_asked_by_the_template_of_the_folder(base, tmp_path):
  bench = personamem.read(personamem_test.written(tmp_path))
  asked = choosing.Questions(bench, bases.speech(base), 'letter')
  told = asked.speech.coder.decode(asked.history(bench.questions[0], 0).tolist())
  assert told == '<|system|>Be kind.<end><|user|>I like\u2028tea.<end><|user|>'
  assert choosing.scored(base, asked, 0)['tokens'] == 1
  assert bases.speech(base._replace(folder=str(tmp_path))).template is None


def test_a_template_that_cannot_be_used_is_told_before_the_base_is_read(folder, tmp_path):
  for name in ('config.json', 'tokenizer.json'):
    (tmp_path / name).write_bytes((folder / 'qwen' / name).read_bytes())
  (tmp_path / 'tokenizer_config.json').write_text(json.dumps(dict(chat_template='{{ nobody() }}')))
  with pytest.raises(InputError, match="tokenizer_config.json fails: 'nobody' is undefined"):
    bases.chat_of(str(tmp_path))
  (tmp_path / 'tokenizer_config.json').unlink()
  assert bases.chat_of(str(tmp_path)) == bases.chat_of(str(tmp_path / 'nowhere')) == ''


@pytest.mark.slow
def test_the_commands(folder, tmp_path):
  (tmp_path / 'qwen').mkdir()
  for path in (folder / 'qwen').iterdir():
    (tmp_path / 'qwen' / path.name).write_bytes(path.read_bytes())
  common = ['--config=configs/personal.py:lpm', f'--base={tmp_path / "qwen"}', f'--workdir={tmp_path / "runs"}',
            '--config.train.steps=2', '--config.train.rows=4', '--config.evaluate.rows=8', '--config.mesh.fsdp=1',
            '--config.data.heldout_examples=8', '--config.data.task.people=8', '--arms=lora']
  wrong = launch('personalize', *common, '--histories=100')
  assert wrong.returncode == 2 and 'have no room for what a person tells' in wrong.stderr, wrong.stderr
  assert not (tmp_path / 'runs').exists()
  done = launch('personalize', *common, '--histories=6000')
  assert done.returncode == 0 and 'history 6000' in done.stdout, done.stderr
  file = tmp_path / 'new.jsonl'
  file.write_text('{"question": "Where was I born?", "answer": "In Zürich."}\n')
  given = (f'--run={tmp_path / "runs" / "lora-0"}', f'--path={tmp_path / "p"}', '--user=ann')
  kept = launch('profile', 'absorb', *given, f'--questions={file}', '--steps=20')
  assert kept.returncode == 0 and 'ann: version 1, 1 items' in kept.stdout, kept.stderr
  asked = launch('profile', 'recall', *given, '--question=Where was I born?', '--options=In Zürich.,In Rome.')
  assert asked.returncode == 0 and asked.stdout.startswith('In '), asked.stderr
  # What cannot be used is told first, though the weights are gone too.
  next((tmp_path / 'qwen').glob('*.safetensors')).unlink()
  settings = tmp_path / 'qwen' / 'tokenizer_config.json'
  settings.write_text(json.dumps(dict(chat_template='{% if %}')))
  for wrong in (launch('personalize', *common), launch('profile', 'recall', *given, '--question=Who?')):
    assert wrong.returncode == 2 and f'{settings} is no chat template' in wrong.stderr and 'Trace' not in wrong.stderr
