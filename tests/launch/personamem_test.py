"""A base reads PersonaMem's chats and chooses among four answers, as if each were read in one piece."""

import json

import jax
import numpy as np
import pytest

from latentmem import model
from latentmem.base.errors import InputError
from latentmem.data import spoken, tokens
from latentmem.data.tokens import chat
from latentmem.model import interface
from latentmem.personal import identity
from latentmem.tasks import personamem
from latentmem.train.state import fresh_carry
from launch.personalizing import bases, choosing
from tests.launch.commands import launch
from tests.launch.locomo_test import text_base
from tests.tasks.personamem_test import OPTIONS, ROW, TURNS, written

ROWS = [ROW, ROW | dict(question_id='q2', end_index_in_shared_context='3', correct_answer='(a)'),
        ROW | dict(question_id='q3', question_type='recall_user_shared_facts', user_question_or_message='Why?')]


@pytest.fixture(scope='module')
def base():
  """One that has learned nothing."""
  fields = model.fields('qwen3', width=16, layers=1, heads=2, kv_heads=1, hidden=16, remat='none', scan=False)
  params = interface.init_params(model.make(**fields), jax.random.key(3))['params']
  # Large enough that what is read matters.
  params = jax.tree.map(lambda a: a * 20 if a.ndim > 1 else a, params)
  return bases.Base('here', fields, params, identity.of_model(fields, params), dict(kind='bytes'))


@pytest.fixture
def bench(tmp_path):
  return personamem.read(written(tmp_path, *ROWS))


def asked(bench, by='letter', template=None):
  return choosing.Questions(bench, spoken.Speech(tokens.make('bytes'), template), by)


@pytest.mark.parametrize('by, last', [('letter', 0), ('text', 20), ('letter', None)])
def test_the_likeliest_answer_is_chosen_as_if_all_were_one_text(base, bench, by, last):
  found = choosing.scored(base, asked(bench, by), last)
  net = model.make(**base.seeing(1024))
  params = dict(params=base.params)
  read = jax.jit(lambda tokens: net.apply(params, fresh_carry(net, params, 1), tokens))
  for question in bench.questions:
    told = b'' if last is None else personamem.transcript(TURNS[:question.end]).encode()[-last:]
    costs = []
    for before, said in personamem.answers(question, by):
      whole = [*told, *before.encode(), *said.encode()]
      logits_TV = np.asarray(read(np.pad(np.array(whole, np.int32), (0, 1024 - len(whole)))[None])[1][0], np.float64)
      log_p_TV = logits_TV - np.log(np.exp(logits_TV).sum(-1, keepdims=True))
      places = range(len(whole) - len(said.encode()), len(whole))
      costs.append(-np.mean([log_p_TV[t - 1, whole[t]] for t in places]))
    assert found['chosen'][question.name] == 'abcd'[int(np.argmin(costs))]
  assert found['tokens'] == 3 and set(found['by_type']) == {'suggest_new_ideas', 'recall_user_shared_facts'}


def test_a_chat_ends_where_its_question_is_asked_and_begins_where_it_is_cut(bench):
  first, second, _ = bench.questions
  whole = 'System: Be kind.\nUser: I like\u2028tea.\n'
  told = lambda question, last: bytes(asked(bench).history(question, last).tolist()).decode()
  assert told(first, 0) == whole and told(second, 0) == whole + 'Assistant: Noted.\n'
  assert told(first, 5) == whole[-5:] and told(first, 1000) == whole and told(first, None) == ''


# Opens with a system turn of its own where there is none, and leaves the last turn room for thoughts.
TEMPLATE = """<s>{% if messages[0].role != 'system' %}<system>Help.</s>{% endif %}
{%- for m in messages %}<{{ m.role }}>{% if loop.last and m.role == 'assistant' %}<think></think>{% endif %}
{{- m.content | trim }}</s>{% endfor %}
{%- if add_generation_prompt %}<assistant>{% if enable_thinking is defined %}<think></think>{% endif %}{% endif %}"""


def test_a_chat_template_writes_chat_and_question_as_one_conversation(bench):
  pytest.importorskip('jinja2')
  template = chat.Chat(TEMPLATE, dict(eos_token='</s>'))
  for by, says, answers in (('letter', lambda question: question.prompt, [f'<final_answer> ({a})' for a in 'abcd']),
                            ('text', lambda question: question.text, [each[4:] for each in OPTIONS])):
    it = asked(bench, by, template)
    for question in bench.questions:
      for last, turns in ((0, TURNS[:question.end]), (None, [])):
        told = bytes(it.history(question, last).tolist()).decode()
        whole = template.text([*turns, dict(role='user', content=says(question))], enable_thinking=False)
        assert [told + before + said for before, said in it.answers(question)] == [whole + each for each in answers]
    assert it.fingerprint != asked(bench, by).fingerprint


def test_a_chat_that_a_template_refuses_is_named(base, bench):
  pytest.importorskip('jinja2')
  strict = chat.Chat("{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system') }}{% endif %}"
                     "{{ m.content }}{% endfor %}", path='there.jinja')
  with pytest.raises(InputError, match="first 2 turns of context 'c1': .*refuses.*No system"):
    choosing.check(asked(bench, template=strict), base)


def test_rows_of_all_questions_have_one_length(bench):
  for by in personamem.BY:
    rows = [row for four in asked(bench, by).rows for row in four]
    assert len(rows) == 12 and len({row['tokens_BT'].shape for row in rows}) == 1
    said = [''.join(map(chr, row['targets_BT'][row['weights_BT'] > 0])) for row in rows[:4]]
    assert said == ([' (a)', ' (b)', ' (c)', ' (d)'] if by == 'letter' else [f' {each[4:]}\n' for each in OPTIONS])
  assert asked(bench).fingerprint != asked(bench, 'text').fingerprint


def test_the_table_has_the_rule_of_lengths_beside_the_base(base, bench, tmp_path):
  page = choosing.result(bench.questions, [1, 0, 0]) | dict(history=100.0)
  text = choosing.tell(tmp_path, asked(bench), {'whole chat': page, 'question alone': page | dict(history=0.0)}, base)
  rows = json.loads((tmp_path / 'table.json').read_text())['rows']
  assert [row['arm'] for row in rows] == ['whole chat', 'question alone', 'longest option']
  assert rows[0]['right'] == pytest.approx(2 / 3) and rows[0]['kv_bytes'] > 0 == rows[1]['kv_bytes']
  # Of these the longest is (a), which is right once.
  assert rows[2]['right'] == pytest.approx(1 / 3) and 'recall_user_shared_facts' in text
  assert 'longest option' in (tmp_path / 'report.html').read_text()


def test_another_tokenizer_is_refused(base, bench):
  with pytest.raises(InputError, match='they do not belong together'):
    choosing.check(asked(bench), base._replace(fields=base.fields | dict(vocab=99)))


@pytest.mark.slow
def test_the_command(tmp_path):
  text_base(tmp_path)
  written(tmp_path, *ROWS)
  wrong = launch('personamem', f'--path={tmp_path}')
  assert wrong.returncode == 2 and '--base=FOLDER' in wrong.stderr and 'Traceback' not in wrong.stderr
  common = (f'--path={tmp_path}', f'--base={tmp_path / "base"}', f'--workdir={tmp_path / "runs"}', '--context=16')
  wrong = launch('personamem', *common, '--version=128k')
  assert wrong.returncode == 2 and 'questions_128k.csv' in wrong.stderr or 'shared_contexts_128k' in wrong.stderr
  done = launch('personamem', *common)
  assert done.returncode == 0 and 'last 16 tokens' in done.stdout and 'longest option' in done.stdout, done.stderr
  assert (tmp_path / 'runs' / '32k-letter-last-16-tokens.json').exists()
