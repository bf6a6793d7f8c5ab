"""A tokenizer's own chat template is rendered as Hugging Face renders it, and does nothing else."""

import json

import pytest

from latentmem.base.errors import InputError
from latentmem.data import tokens
from latentmem.data.tokens import chat
from tests import tokenizers

jinja2 = pytest.importorskip('jinja2')

TEMPLATE = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'system' and not loop.first %}
        {{- raise_exception('The system speaks first, or not at all.') }}
    {%- elif message.role == 'user' or message.role == 'assistant' %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + eos_token + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
SAID = [dict(role='system', content='Be <brief>.'), dict(role='user', content='Hi & bye'),
        dict(role='assistant', content='Yes.')]
TEXT = ('<|im_start|>system\nBe <brief>.<|im_end|>\n<|im_start|>user\nHi & bye<|im_end|>\n'
        '<|im_start|>assistant\nYes.<|im_end|>\n')


def folder_with(folder, template=TEMPLATE, **config):
  config = dict(chat_template=template, eos_token='<|im_end|>', bos_token=None) | config
  (folder / 'tokenizer_config.json').write_text(json.dumps(config))
  return folder


def test_a_conversation_is_what_the_template_says(tmp_path):
  it = chat.read(folder_with(tmp_path))
  assert it.text(SAID, add_generation_prompt=False) == TEXT
  assert it.text(SAID) == TEXT + '<|im_start|>assistant\n'
  assert it.text(SAID, enable_thinking=False) == TEXT + '<|im_start|>assistant\n<think>\n\n</think>\n\n'
  assert it.text(SAID, add_generation_prompt=False, tools=[dict(a='é<')]) == TEXT + '[{"a": "é<"}]'


def test_where_a_template_may_stand(tmp_path):
  named = [dict(name='tool_use', template='b'), dict(name='default', template='a')]
  folder_with(tmp_path, named, eos_token=dict(content='</s>', lstrip=False))
  assert chat.read(tmp_path).text(SAID) == 'a' and chat.read(tmp_path).special == dict(eos_token='</s>')
  (tmp_path / 'chat_template.jinja').write_text('{{ messages[-1].content }}{{ eos_token }}')
  assert chat.read(tmp_path).text(SAID) == 'Yes.</s>'


def test_blocks_leave_no_lines_behind(tmp_path):
  template = ('{% for m in messages %}\n  {% if loop.index == 2 %}\n    {% break %}\n  {% endif %}\n'
              '{{ m.role }}\n{% endfor %}\n')
  assert chat.read(folder_with(tmp_path, template)).text(SAID) == 'system\n'


@pytest.mark.parametrize('template, said', [
    ('{% if %}', 'is no chat template'), ('{{ messages[0].content + 1 }}', 'fails: can only concatenate'),
    ("{{ raise_exception('No such role') }}", 'refuses these messages: No such role'),
    ('{{ nobody.name }}', "fails: 'nobody' is undefined"), ('{{ 1 // 0 }}', 'fails'),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", 'fails: access to attribute'),
    ('{{ messages.append(1) }}', 'fails: access to attribute'), ("{% include '/etc/passwd' %}", 'fails'),
    ('{{ range(10 ** 9) | list }}', 'fails'), ('{{ ' + '(' * 500 + ')' * 500 + ' }}', 'no chat template'),
    ('{{ messages | shout }}', "is no chat template: No filter named 'shout'"), ('{% generate %}', 'no chat template'),
    ('{% if messages | length > 1 %}{{ nobody() }}{% endif %}', "fails: 'nobody' is undefined"),
])
def test_a_template_that_cannot_be_used_is_told_where_it_is_read(tmp_path, template, said):
  with pytest.raises(InputError, match=said) as error:
    chat.read(folder_with(tmp_path, template))
  assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize('config, said', [
    (None, 'has no chat template'), ('{}', 'leave --chat out'), ('{"chat_template": [{"name": "x"}]}', 'has no chat'),
    ('{"chat_template": 3}', 'has no chat'), ('[1]', 'holds a list'), ('{', 'is not JSON'), (b'\xff', 'as text')])
def test_a_folder_without_a_template_is_told(tmp_path, config, said):
  if config is not None:
    (tmp_path / 'tokenizer_config.json').write_bytes(config if isinstance(config, bytes) else config.encode())
  with pytest.raises(InputError, match=said):
    chat.read(tmp_path)


@pytest.fixture(scope='module')
def coder(tmp_path_factory):
  path = tokenizers.write(tmp_path_factory.mktemp('tokenizer'), 'the quick brown fox', 270, ('<|im_end|>', '<s>'))
  return tokens.make('huggingface', path=str(path))


def test_an_answer_ends_where_the_files_say(tmp_path, coder):
  assert chat.stops(tmp_path, coder) == frozenset()
  (tmp_path / 'config.json').write_text('{"eos_token_id": 7}')
  assert chat.stops(tmp_path, coder) == {7}
  (tmp_path / 'generation_config.json').write_text('{"eos_token_id": [1, 5]}')
  assert chat.stops(tmp_path, coder) == {1, 5}
  folder_with(tmp_path)
  assert chat.stops(tmp_path, coder) == {0, 1, 5}


def test_a_tokenizer_of_another_vocabulary_is_refused(tmp_path, coder):
  chat.check_vocab(coder, coder.vocab, 'there')
  with pytest.raises(InputError, match=f'{coder.vocab} tokens, the model of there knows {coder.vocab - 1}'):
    chat.check_vocab(coder, coder.vocab - 1, 'there')
  for wrong in (999_999, '1', True, 1.0):
    (tmp_path / 'generation_config.json').write_text(json.dumps(dict(eos_token_id=[1, wrong])))
    with pytest.raises(InputError, match='which the tokenizer .* does not have'):
      chat.stops(tmp_path, coder)
  (tmp_path / 'generation_config.json').unlink()
  with pytest.raises(InputError, match="eos_token='<end>'"):
    chat.stops(folder_with(tmp_path, eos_token='<end>'), coder)
