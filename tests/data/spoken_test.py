"""What is asked and said is written plainly or as a chat template has it, and is one text again where it was parted."""

import pytest

from latentmem.base.errors import InputError
from latentmem.data import spoken, tokens
from latentmem.data.tokens import chat

pytest.importorskip('jinja2')

TEMPLATE = ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined and not enable_thinking %}"
            "<think></think>{% endif %}{% endif %}")
TURNS = [dict(role='user', content='My job is pilot.'), dict(role='assistant', content='Noted.')]


def speech(template=TEMPLATE, **special):
  made = template and chat.Chat(template, dict(eos_token='<end>') | special, 'there.jinja')
  return spoken.Speech(tokens.make('bytes'), made)


def test_plain_text_is_a_line_for_what_is_said():
  it = speech(None)
  assert it.question('What?') + it.answer('That') == 'Question: What?\nAnswer: That\n' and it.ends == '\n'
  assert it.conversation(TURNS) == 'User: My job is pilot.\nAssistant: Noted.\n'
  assert it.speaker('user') + it.answer('Yes.') == it.conversation([dict(role='user', content='Yes.')])


def test_a_template_asks_for_an_answer_without_thoughts():
  it = speech()
  assert it.question('What?') + it.answer('That') == '<|user|>What?<end><|assistant|><think></think>That<end>'
  assert it.conversation(TURNS) == '<|user|>My job is pilot.<end><|assistant|>Noted.<end>'
  assert it.speaker('assistant') + it.answer('Noted.') == '<|assistant|>Noted.<end>'
  assert spoken.Speech(it.coder, chat.Chat(TEMPLATE)).ends == '\n'


def test_a_conversation_is_written_as_if_the_user_went_on():
  last = TEMPLATE.replace('{{ m.content }}', "{% if loop.last %}<think></think>{% endif %}{{ m.content }}")
  assert speech(last).conversation(TURNS) == speech().conversation(TURNS)
  headed = speech('<s>' + TEMPLATE)
  assert headed.conversation(TURNS) == '<s>' + speech().conversation(TURNS)
  whole = '<s>' + speech().conversation(TURNS) + speech().question('What?')
  assert headed.opened(TURNS) + headed.asked('What?') == whole


def test_what_text_is_written_by_decides_the_fingerprint():
  found = {speech(None).fingerprint, speech().fingerprint, speech(TEMPLATE + '!').fingerprint,
           speech(eos_token='.').fingerprint}
  moved = spoken.Speech(speech().coder, chat.Chat(TEMPLATE, dict(eos_token='<end>'), 'elsewhere'))
  assert len(found) == 4 and moved.fingerprint == speech().fingerprint


def test_a_template_that_leaves_out_what_is_said_is_told():
  with pytest.raises(InputError, match='there.jinja leaves out what a user says'):
    speech('{{ messages[0].role }}').speaker('user')
