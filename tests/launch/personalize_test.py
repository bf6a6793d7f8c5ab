"""Memories are trained on a base that stays as it is, asked with their own and others' numbers, and compared."""

import functools
import json
import pathlib

import jax
import numpy as np
import pytest

from configs import personal as config_file
from latentmem import data, personal, tasks
from latentmem import model as models
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.model import qwen3_weights
from latentmem.personal import questions
from latentmem.personal.writer import Writer
from latentmem.study import bench_figure, figures
from latentmem.tasks import persona_questions
from latentmem.tasks import persona_words as words
from latentmem.train import checkpoint, evaluate
from latentmem.train.placement import Placement
from launch import parts
from launch.benchmarks import absorb
from launch.personalizing import arms, bases, comparison, histories, measuring, profiles, reading, scores, wording
from tests.checks import assert_close
from tests.launch.commands import launch
from tests.train import small

FACTS = dict(preferences=1, evolutions=0, ideas=0, attributes=1, plans=0,
             types=('recall_user_shared_facts', 'provide_preference_aligned_recommendations'))
ADAPTERS = dict(lpm=dict(heads=2, slots=3, slot_width=4, key_width=4), lora=dict(rank=2), prompt=dict(tokens=2),
                none=dict(tokens=2))
WORDS = wording.Words(question=10, answer=4)


def base_config():
  config = config_file.get_config('seven').to_dict()
  config['mesh']['fsdp'] = 1
  config['model'] |= dict(width=16, layers=1, heads=2, kv_heads=1, hidden=16)
  config['data'] = data.fields(dict(kind='task', heldout_examples=4, task=dict(
      kind='persona_context', history=176, questions=2, **FACTS)))
  config['train'] |= dict(steps=2, rows=4, length=257, save_every=0, evaluate_every=0)
  config['evaluate'] |= dict(rows=4)
  return config


def config_of(arm='lpm'):
  config = config_file.get_config(arm).to_dict()
  config['mesh']['fsdp'] = 1
  config['data'] = data.fields(dict(kind='task', heldout_examples=20, task=dict(kind='persona', people=8, **FACTS)))
  config['train'] |= dict(steps=3, rows=8, save_every=2, evaluate_every=0)
  config['evaluate'] |= dict(rows=8)
  config['personal'] |= {kind: personal.fields(kind, **fields) for kind, fields in ADAPTERS.items()}
  return config


@pytest.fixture(scope='module')
def base(tmp_path_factory):
  folder = tmp_path_factory.mktemp('base') / 'run'
  small.run(folder, base_config())
  return bases.load(str(folder), parts.mesh(1, 1))


@pytest.fixture(scope='module')
def told(base, tmp_path_factory):
  folder = tmp_path_factory.mktemp('personal')
  for kind in personal.kinds():
    arm = arms.build(config_of(), kind, base)
    assert comparison.one(folder / f'{kind}-0', arm, 0, base, small.LeavesAt(-1))
  score = functools.partial(comparison.history, base, arm.source, histories.Read(176))
  whole = [comparison.kept(folder / 'history-176.json', base, arm.source, score)]
  return folder, comparison.tell(folder, personal.kinds(), range(1), whole, base)


def test_what_another_base_scored_is_not_told_beside_this_one(told, base, tmp_path):
  folder, _ = told
  source = arms.build(config_of(), 'none', base).source
  kept = records.read_json(folder / 'history-176.json')
  never = lambda: pytest.fail('it is there')
  assert comparison.kept(folder / 'history-176.json', base, source, never) == kept
  records.write_json(tmp_path / 'page.json', kept | dict(base='another'))
  assert comparison.kept(tmp_path / 'page.json', base, source, lambda: dict(accuracy=1))['accuracy'] == 1
  assert records.read_json(tmp_path / 'page.json')['base'] == base.fingerprint
  with pytest.raises(InputError, match='are of another base'):
    comparison.tell(folder, personal.kinds(), range(1), [kept], base._replace(fingerprint='c' * 64))
  assert bases.identity.of_model(base.fields | dict(rope_base=3.0), base.params) != base.fingerprint
  assert bases.identity.of_model(base.seeing(7), base.params) == base.fingerprint


def test_every_arm_is_a_run_and_the_table_has_them_all(told):
  folder, text = told
  table = json.loads((folder / 'table.json').read_text())
  assert [row['arm'] for row in table['rows']] == [*personal.kinds(), 'history 176']
  assert (folder / 'table.txt').read_text() == text + '\n' and (folder / 'table.png').stat().st_size > 1000
  page = (folder / 'report.html').read_text()
  assert 'Qwen3-8B' in page and 'Slots of lpm-0' in page and 'href="./none-0/report.html"' in page
  assert page.count('data:image/png') == 2 + 3 and (folder / 'lengths.png').exists()
  assert 'Qwen3-8B' in text and 'recall_user_shared_facts' in text
  for kind in personal.kinds():
    answers = records.read_json(folder / f'{kind}-0' / 'answers.json')
    assert answers['own']['tokens'] == answers['swapped']['tokens'] == 20
    assert answers['base']['before'] == answers['base']['after'] == table['base']['fingerprint']
    assert (answers['numbers'] > 0, answers['shared'] > 0) == (
        personal.find(kind).has_personal, personal.find(kind).has_shared)


def test_nobody_knows_who_asks_without_a_memory(told):
  answers = records.read_json(told[0] / 'none-0' / 'answers.json')
  assert answers['own'] == answers['swapped']


def test_a_run_is_scored_again_and_on_other_facts(told):
  run = told[0] / 'lpm-0'
  done = launch('evaluate', f'--workdir={run}')
  assert done.returncode == 0, done.stderr
  own = records.read_json(run / 'answers.json')['own']
  assert json.loads(done.stdout)['heldout']['accuracy'] == own['accuracy']
  later = launch('evaluate', f'--workdir={run}', '--config.data.heldout_examples=8')
  assert later.returncode == 0 and json.loads(later.stdout)['heldout']['tokens'] == 8, later.stderr


def test_absorbing_is_measured_by_what_is_known_before_and_after(told):
  record = absorb.run(str(told[0] / 'lpm-0'), [24], 2, 3, told=lambda line: None)
  rows = record['rows']
  assert [(row['what'], row['person']) for row in rows] == [(form, u) for form in absorb.FORMS for u in (0, 1)]
  for row in rows:
    assert row['seconds'] > 0 and row['items'] == 24 + absorb.ASKED * (row['what'] != 'turns')
    assert all(0 <= row[f'{part}_{when}'] <= 1 for part in ('old', 'new') for when in ('before', 'after'))
  # Both forms begin with the same memory.
  assert [row['old_before'] for row in rows[:2]] == [row['old_before'] for row in rows[2:]]
  assert figures.png(bench_figure.draw(record)).startswith(b'\x89PNG')


def test_later_turns_and_questions_about_them_are_what_is_written():
  person = tasks.make('persona', people=8, **FACTS).person(3)
  turns = absorb.new_items(person, 24, 'turns', FACTS['types'])
  assert [words.spoken(item.answer[1:]) for item in turns] == [
      words.spoken(turn.words) for turn in person.later(24).turns]
  *_, last = absorb.new_items(person, 24, 'turns and questions', FACTS['types'])
  question = persona_questions.questions(person, absorb.ASKED, 'train', 'later', kinds=FACTS['types'])[-1]
  assert last.question + last.answer == (*question.tokens, question.letter)


def test_a_run_that_was_cut_short_goes_on(base, tmp_path, told):
  arm = arms.build(config_of(), 'prompt', base)
  assert not comparison.one(tmp_path / 'prompt-0', arm, 0, base, small.LeavesAt(1))
  assert comparison.one(tmp_path / 'prompt-0', arm, 0, base, small.LeavesAt(-1))
  one, other = (records.read_json(path / 'prompt-0' / 'answers.json') for path in (tmp_path, told[0]))
  assert one['own'] == other['own'] and one['swapped'] == other['swapped']
  stamp = (tmp_path / 'prompt-0' / 'answers.json').stat().st_mtime_ns
  assert comparison.one(tmp_path / 'prompt-0', arm, 0, base, small.LeavesAt(-1))
  assert (tmp_path / 'prompt-0' / 'answers.json').stat().st_mtime_ns == stamp


def test_what_training_asks_is_measured_before_the_first_step(told, base):
  arm = arms.build(config_of(), 'lpm', base)
  few = [measuring.moments(arm, seed, dict(base=base.params), 8).sum_D for seed in (0, 0, 1)]
  assert_close(few[0], few[1])
  assert np.abs(few[0] - few[2]).max() > 1e-3
  batches = arm.source.train(8, arm.train.length, seed=0)
  asked = [row_T[row_T >= 0] for _ in range(measuring.QUESTIONS // 8) for row_T in next(batches)['tokens_BT'][:, 1:-1]]
  e_ND = np.stack([np.asarray(base.params['embed'], np.float64)[row_T].mean(0) for row_T in asked])
  want = questions.measured(questions.moments(e_ND, np.ones(len(e_ND))), 16)
  shared = checkpoint.load_params(told[0] / 'lpm-0')[1]['params']['personal']['shared']
  # Directions themselves may point either way.
  apart = lambda found: e_ND[:50] @ found['basis'] - found['offset']
  assert_close(apart(shared) @ apart(shared).T, apart(want) @ apart(want).T, 1e-3)
  assert measuring.prepare(arms.build(config_of(), 'prompt', base), 0, {}) is None


def test_slots_are_looked_at(told):
  lpm, lora = told[0] / 'lpm-0', told[0] / 'lora-0'
  shown = records.read_json(lpm / 'slots.json')
  assert np.shape(shown['map']['points']) == (8, 2 * 3, 2) and np.shape(shown['words']['cosines']) == (2, 3)
  np.testing.assert_allclose(np.sum(shown['attention']['share'], -1), 1, rtol=1e-5)
  assert set(shown['attention']['questions']) == set(FACTS['types'])
  page = (lpm / 'report.html').read_text()
  assert 'Slots of all people' in page and (lpm / 'figures' / 'slots_map.png').exists()
  assert not (lora / 'slots.json').exists() and 'Slots of all people' not in (lora / 'report.html').read_text()


def test_a_base_that_changed_is_told(base):
  moved = base._replace(params=jax.tree.map(lambda a: a + 1e-6, base.params))
  with pytest.raises(RuntimeError, match='Nothing that was learned on it counts'):
    moved.check()
  assert base.check() == base.fingerprint


def test_a_base_of_a_task_may_be_a_converted_folder(base, tmp_path):
  qwen3_weights.save(tmp_path / 'hf', base.fields, dict(params=base.params))
  loaded = bases.load(str(tmp_path / 'hf'), parts.mesh(1, 1))
  assert loaded.tokens is None and loaded.fields['dtype'] == 'float32' and loaded.params['embed'].dtype == 'float32'
  assert bases.identity.fingerprint(loaded.params) == bases.identity.fingerprint(base.params)
  assert arms.build(config_of(), 'lora', loaded).source.asks.vocab == loaded.fields['vocab']
  with pytest.raises(InputError, match='does not read text; .* with its tokenizer.json'):
    bases.check_text(loaded)


def test_the_base_that_lies_here_answers_all_types():
  base = bases.load(str(pathlib.Path(__file__).parents[2] / 'docs' / 'bases' / 'persons'), parts.mesh(1, 1))
  source = data.make(config_file.get_config().to_dict()['data'])
  length = source.hardest.length
  net, place = models.make(**base.seeing(length)), Placement(parts.mesh(1, 1))
  found = evaluate.heldout(net, dict(params=base.params), source, place, 16, length)['by_type']
  assert len(found) == 7 and all(each['asked'] > 10 and each['accuracy'] > 0.8 for each in found.values())


def test_swapping_gives_each_question_to_all_of_another_family(base):
  source = arms.build(config_of(), 'lpm', base).source
  batches = lambda of: of.heldout(8, source.asks.length, 1)
  swapped = iter(batches(scores.Swapped(source)))
  assert len(batches(scores.Swapped(source))) == 4 * len(batches(source))
  for own in batches(source):
    four = [next(swapped) for _ in range(4)]
    for batch in four:
      np.testing.assert_array_equal(own['tokens_BT'][:, 1:], batch['tokens_BT'][:, 1:])
    others = np.stack([batch['tokens_BT'][:, 0] for batch in four], 1) - source.asks.vocab
    for person, mine in zip(own['tokens_BT'][:, 0] - source.asks.vocab, others.tolist()):
      assert mine == ([person] * 4 if person < 0 else [4, 5, 6, 7] if person < 4 else [0, 1, 2, 3])
  assert next(swapped, None) is None


def test_the_base_reads_a_history_as_if_it_were_one_row(base):
  """In pieces, and lent to many questions: against the base reading history and question at once."""
  source = arms.build(config_of(), 'lpm', base).source
  examples = [source.heldout_example(i) for i in range(20)]
  u = int(examples[0].tokens_T[0]) - source.asks.vocab
  mine = [e for e in examples if e.tokens_T[0] == examples[0].tokens_T[0]][:3]
  told_T = source.asks.person(u).history(176).tokens_T
  reader = reading.Reader(base, len(told_T), source.asks.length, 4, 16)
  tokens_BT, targets_BT, _ = (np.stack(a) for a in zip(*mine))
  nats_BT, _ = reader.questions(reader.history(told_T), tokens_BT, targets_BT)
  for row_T, target_T, nats_T in zip(tokens_BT, targets_BT, nats_BT):
    whole_T = np.concatenate([told_T, row_T[1:][row_T[1:] >= 0]])
    carry = reader.net.apply(reader.params, 1, method='init_state')
    _, logits_BTV = jax.jit(reader.net.apply)(reader.params, carry, whole_T[None])
    logits_V = np.asarray(logits_BTV[0, -1], np.float64)
    assert nats_T[-1] == pytest.approx(np.log(np.exp(logits_V).sum()) - logits_V[target_T[-1]], rel=1e-4)


def test_a_history_may_be_read_of_the_first_people_alone(base):
  source = arms.build(config_of(), 'lpm', base).source
  of = [source.heldout_example(i).tokens_T[0] - source.asks.vocab for i in range(source.heldout_examples)]
  few, all_of_them = (comparison.history(base, source, histories.Read(176, people)) for people in (4, 0))
  assert (few['tokens'], all_of_them['tokens']) == (np.sum(np.array(of) < 4), len(of)) and few['people'] == 4
  assert histories.named(['900:4', '1024', '900']) == [(0, 0), (900, 0), (900, 4), (1024, 0)]
  assert len({read.page for read in histories.named(['900:4', '1024', '900'])}) == 4
  for wrong in ('9k', '900:', '900:0', '900:four', ':4', '0:4'):
    with pytest.raises(InputError, match=f"as in 1024 or 1024:4, not '{wrong}'"):
      histories.named([wrong])
  with pytest.raises(InputError, match='of 12 people, and there are 8'):
    scores.check(source, [histories.Read(900, 12)])
  with pytest.raises(InputError, match='histories=40 is too short for person 0: A history of these facts takes'):
    scores.check(source, [histories.Read(40)])
  with pytest.raises(InputError, match='none of the first 4 people is asked'):
    histories.check([histories.Read(900, 4)], 8, {5, 7}, None)


def test_what_does_not_fit_is_refused(base, tmp_path):
  for config, arm, said in (
      (config_of(), 'lpn', "did you mean 'lpm'"), (config_of() | dict(data=data.fields(dict(
          kind='task', task=dict(kind='recall')))), 'lpm', "asked by the task 'persona'"),
      (config_of(), 'lpm', 'has 99 tokens and the questions have 665;.*tokenizer.json in its folder')):
    given = base if said.startswith(("did", 'asked')) else base._replace(fields=base.fields | dict(vocab=99))
    with pytest.raises(InputError, match=said):
      arms.build(config, arm, given)
  with pytest.raises(InputError, match='holds no base'):
    bases.load(str(tmp_path), parts.mesh(1, 1))
  with pytest.raises(InputError, match='needs a config with a part `personal`'):
    arms.check(base_config())


def test_the_commands(base, told, tmp_path):
  wrong = launch('personalize', '--config=configs/personal.py:lpm', f'--workdir={tmp_path}')
  assert wrong.returncode == 2 and '--base=FOLDER' in wrong.stderr and 'Traceback' not in wrong.stderr
  run = told[0] / 'lpm-0'
  given = (f'--run={run}', f'--path={tmp_path / "p"}', '--user=ann')
  wrong = launch('profile', 'ersae', *given)
  assert wrong.returncode == 2 and "did you mean 'erase'" in wrong.stderr
  wrong = launch('profile', 'recall', *given)
  assert wrong.returncode == 2 and '--question is missing' in wrong.stderr
  wrong = launch('profile', 'erase', f'--path={tmp_path / "p"}', '--user=../x')
  assert wrong.returncode == 2 and "'../x' is no name" in wrong.stderr and 'Traceback' not in wrong.stderr
  file = tmp_path / 'new.jsonl'
  file.write_text('{"question": "what is my job ?", "options": ["baker", "pilot", "clerk"], "answer": "pilot"}\n')
  done = launch('profile', 'absorb', *given, f'--questions={file}', '--steps=2')
  assert done.returncode == 0 and 'ann: version 1, 1 items' in done.stdout, done.stderr
  with open(file, 'a') as lines:
    lines.write(json.dumps(dict(question='my job ' * 40, answer='pilot')))
  wrong = launch('profile', 'absorb', *given, f'--questions={file}')
  assert wrong.returncode == 2 and f'{file}, line 2: the question has 81 tokens, and ' in wrong.stderr


def test_a_profile_from_absorbing_to_erasing(base, told, tmp_path):
  room = profiles.opened(str(told[0] / 'lora-0'), str(tmp_path / 'p'))
  assert isinstance(room.writer, Writer)
  files = tmp_path / 'q.jsonl', tmp_path / 't.jsonl'
  options = ['baker', 'pilot', 'clerk']
  files[0].write_text(json.dumps(dict(question='What is my job?', options=options, answer='pilot')) + '\n' +
                      json.dumps(dict(question='what is my pet ?', options=['cat', 'dog'], answer='cat')) + '\n')
  files[1].write_text(json.dumps(dict(role='user', content='My job is pilot.')))
  items = room.wording.questions(str(files[0])) + room.wording.turns(str(files[1]))
  assert profiles.absorb(room, 'ann', items, 60).version == 1
  assert profiles.recall(room, 'ann', 'what is my job ?', options) == 'pilot'
  seen = profiles.inspect(room, 'ann')
  assert 'version 1 of [1]' in seen and '-> (b)' in seen and 'my job is pilot .' in seen
  for answer, said in (('jbo', "--answer has the word 'jbo'"), ('my ' * 40, '--answer: the answer has 40 tokens')):
    with pytest.raises(InputError, match=said):
      profiles.edit(room, 'ann', 0, answer, 60)
  with pytest.raises(InputError, match='has no item 3; there are 3'):
    profiles.edit(room, 'ann', 3, '(a)', 60)
  profiles.edit(room, 'ann', 0, '(a)', 60)
  assert profiles.recall(room, 'ann', 'what is my job ?', options) == 'baker'
  assert len(profiles.edit(room, 'ann', 0, None, 5).items) == 2 and room.store.versions('ann') == [1, 2, 3]
  profiles.adopt(room, 'bob', 3)
  with pytest.raises(InputError, match='counted from 0'):
    profiles.adopt(room, 'eve', 8)
  assert room.store.erase('ann') == 3 and room.store.names() == ['bob']
  elsewhere = profiles.opened(str(told[0] / 'lpm-0'), str(tmp_path / 'p'))
  with pytest.raises(InputError, match='is a profile of the adapter'):
    elsewhere.store.read('bob')


@pytest.mark.parametrize('line, said', [
    ('{"question": "what is my job ?"}', "line 2: answer is None; it takes a text"),
    ('{"question": "what is my jbo ?", "answer": "pilot"}', "line 2 has the word 'jbo'.*did you mean 'job'"),
    ('{"question": "what", "anwser": "pilot"}', "line 2: no key 'anwser' .did you mean 'answer'"),
    ('{"question": "what", "answer": "pilto", "options": ["pilot"]}', "is none of the options .did you mean 'pilot'"),
    ('[1]', 'line 2 is no object'), ('{', 'line 2 is not JSON'),
    ('{"question": "a", "answer": "a", "options": 3}', 'a list'),
    ('{"question": "what", "answer": "a", "options": ["a", " "]}', 'a list of texts'),
    ('{"question": " ", "answer": "pilot"}', "line 2: question is ' '; it takes a text"),
    ('{"question": "what", "answer": ""}', "line 2: answer is ''; it takes a text"),
    ('{"question": "!!", "answer": "pilot"}', "line 2 has no word in '!!'"),
    ('{"question": "what is my job my job my job my ?", "answer": "pilot"}',
     'line 2: the question has 11 tokens, and there is room for 10'),
    ('{"question": "what", "answer": "my job is pilot"}', 'line 2: the answer has 4 tokens, and there is room for 3')])
def test_lines_that_are_none_are_refused(tmp_path, line, said):
  path = tmp_path / 'q.jsonl'
  path.write_text('{"question": "what is my job ?", "answer": "pilot"}\n' + line)
  with pytest.raises(InputError, match=said) as error:
    WORDS.questions(str(path))
  assert str(error.value).startswith(f'{path}, line 2')


@pytest.mark.parametrize('line, said', [
    ('{"role": "usr", "content": "my job"}', "role is 'usr' .did you mean 'user'"),
    ('{"role": "user", "content": ""}', "content is ''; it takes a text"),
    ('{"role": "user", "content": "my jbo"}', "has the word 'jbo'"),
    ('{"role": "user", "content": "my job is pilot"}', 'the text has 4 tokens, and there is room for 3')])
def test_turns_that_are_none_are_refused(tmp_path, line, said):
  path = tmp_path / 't.jsonl'
  path.write_text('{"role": "user", "content": "my job"}\n\n' + line)
  with pytest.raises(InputError, match=said) as error:
    WORDS.turns(str(path))
  assert str(error.value).startswith(f'{path}, line 3')
  path.write_text('\n')
  with pytest.raises(InputError, match='t.jsonl is empty; it takes lines with'):
    WORDS.turns(str(path))


def test_words_are_tokens_and_back():
  assert WORDS.spoken(wording.tokens('My job is pilot, (a) I see.')) == 'my job is pilot , (a) i see .'
  read, begins = WORDS.asked('what is my job ?', ['baker', 'pilot'])
  assert WORDS.spoken([*read, begins]) == '<question> what is my job ? (a) baker (b) pilot <answer>'
  item = WORDS.item('my job ?', ['baker', 'pilot'], 'pilot', 'here')
  assert WORDS.spoken(item.answer) == '<answer> (b)'
