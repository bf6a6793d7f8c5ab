"""A talk goes on tomorrow where it stopped today, and what ends it loses nothing that was told.

Those with `talk` run in this process; the others are processes of their own, as users have them.
"""

import os
import re
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from latentmem.bank import store
from latentmem.base.errors import InputError
from latentmem.data import tokens
from latentmem.data.tokens import chat as templates
from latentmem.session import sample
from latentmem.session.session import Session
from launch import voices
from launch.chatting import keeping, shown
from launch.chatting.talk import said, Talk
from tests.launch.commands import launch, ROOT
from tests.launch.generate_test import folder
from tests.session.live import network, shaken

assert folder  # A fixture.
ENVIRONMENT = dict(JAX_PLATFORMS='cpu', JAX_COMPILATION_CACHE_DIR=jax.config.jax_compilation_cache_dir)
STOP = 3
TEMPLATE = ('{% for m in messages %}[{{ m.role }}]{{ m.content }}\x03\n{% endfor %}'
            '{% if add_generation_prompt %}[assistant]{% endif %}')


@pytest.fixture(scope='module')
def fresh():
  net = network(vocab=256, layers=1, memory=dict(kind='slots', slots=5, heads=2, chunk=4, opened=2, steps=1))
  return Session(net, shaken(net), piece=8)


@pytest.fixture
def talk(fresh):
  """Makes talks with one model."""
  def make(kept=None, template=None, length=6, stopped=lambda: False, stops=()):
    voice = voices.Voice(fresh.fork(), tokens.make('bytes'), frozenset(stops), template)
    return Talk(voice, kept or keeping.Nowhere(), length, sample.Sampler(1.0), 0, stopped)
  return make


def answer(held, line):
  texts = []
  held.turn(line, lambda text, bits: texts.append(text))
  return ''.join(texts)


def test_a_talk_taken_up_says_what_it_would_have_said(talk, tmp_path):
  whole = talk()
  wanted = [answer(whole, line) for line in ('one', 'two', '')]
  for make in (lambda: keeping.File(str(tmp_path / 'state')), lambda: keeping.Object(str(tmp_path / 'bank'), 'ann')):
    got = []
    for i, line in enumerate(('one', 'two', '')):
      kept = make()
      held = talk(kept)
      assert kept.resume(held.voice.live) == bool(i)
      got.append(answer(held, line))
    assert got == wanted and held.voice.live.position == whole.voice.live.position == 4 + 4 + 3 * 6
  assert store.Bank(tmp_path / 'bank').versions('ann') == [1, 2, 3]


def test_surprise_is_told_of_every_token_but_the_first(talk):
  held = talk()
  shades = []
  begun, spoken = held.turn('one', lambda text, bits: shades.append(bits))
  texts, bits = held.told(range(begun, spoken))
  assert ''.join(texts) == 'one\n' and np.isnan(bits[0]) and np.all(np.array(bits[1:]) > 0)
  assert held.told(range(spoken, held.voice.live.position))[1] == shades[:-1] and len(shades) == 7
  begun, spoken = held.turn('two', lambda text, bits: None)
  assert np.isfinite(held.told(range(begun, spoken))[1]).all()


def test_commands_do_what_they_say(talk, tmp_path):
  held = talk(keeping.File(str(tmp_path / 'state')))
  answer(held, 'one')
  here, before = held.voice.live.position, held.voice.live.state()
  assert 'copy is kept as' in held.command('/fork other') and (tmp_path / 'other').exists()
  second = answer(held, 'two')
  assert f'at token {here:,}' in held.command('/rewind')
  jax.tree.map(np.testing.assert_array_equal, held.voice.live.state(), before)
  assert answer(held, 'two') == second
  assert 'memory: 3 steps, which moved the slots by' in held.command('/think 2')
  picture = tmp_path / 'thought.png'
  assert 'is drawn in' in held.command(f'/draw {picture}') and picture.read_bytes().startswith(b'\x89PNG')
  for _ in range(2):
    held.command(f'/save {tmp_path / "third"}')
  for name, same in (('state', True), ('third', True), ('other', False)):
    again = talk()
    again.voice.live.load(tmp_path / name)
    assert (again.voice.live.position == held.voice.live.position) == same
  assert re.fullmatch(r'[\d,]+ tokens in a state of [\d,]+ bytes, kept .*state', held.command('/state'))
  assert held.command('/quit') is None


@pytest.mark.parametrize('line, wrong', [
    ('/rewnd', "no command 'rewnd' .did you mean 'rewind'"), ('/rewind', 'no mark before position 0'),
    ('/fork', 'takes a name'), ('/fork ../x', 'names no file beside'),
    ('/fork \x1b[31mred', 'no file'), (f'/fork {"x" * 300}', 'too long'), ('/draw x.png', 'Nothing was thought'),
    ('/state now', 'nothing behind it'),
    ('/think many', 'a number of steps'), ('/think', 'nothing to think about'), ('/', "no command ''")])
def test_commands_that_cannot_be_are_told(talk, tmp_path, line, wrong):
  with pytest.raises(InputError, match=wrong):
    talk(keeping.File(str(tmp_path / 'state'))).command(line)


def test_a_file_that_is_no_state_does_not_make_way(talk, tmp_path):
  held, mine = talk(), tmp_path / 'mine.txt'
  answer(held, 'one')
  mine.write_text('mine')
  with pytest.raises(InputError, match='mine.txt'):
    held.command(f'/save {mine}')
  assert mine.read_text() == 'mine'


def test_what_is_kept_nowhere_cannot_be_saved_or_forked(talk):
  for line in ('/save', '/fork x'):
    with pytest.raises(InputError, match='--state=FILE'):
      talk().command(line)


def test_a_name_that_cannot_be_is_told_before_anything_is_said(tmp_path):
  with pytest.raises(InputError, match='cannot name an object'):
    keeping.of(None, str(tmp_path), '../ann')


def test_somebody_else_talking_under_the_name_is_noticed(talk, tmp_path):
  one, two = (talk(keeping.Object(str(tmp_path / 'bank'), 'ann')) for _ in range(2))
  answer(one, 'one')
  with pytest.raises(InputError, match='ann of .* /fork NAME'):
    answer(two, 'two')
  assert store.Bank(tmp_path / 'bank').versions('ann') == [1]


def test_somebody_else_writing_the_file_is_noticed_and_a_fork_keeps_the_talk(talk, tmp_path):
  one, two = (talk(keeping.File(str(tmp_path / 'state'))) for _ in range(2))
  answer(one, 'one')
  answer(one, 'more')
  kept = (tmp_path / 'state').read_bytes()
  with pytest.raises(InputError, match='/fork NAME'):
    answer(two, 'two')
  two.command('/fork twin')
  assert (tmp_path / 'state').read_bytes() == kept and (tmp_path / 'twin').exists()


def test_what_was_said_is_kept_where_its_answer_is_stopped(talk, tmp_path):
  told = []
  held = talk(keeping.File(str(tmp_path / 'state')), stopped=lambda: len(told) >= 2, length=50)
  held.turn('one', lambda text, bits: told.append(text))
  assert held.voice.live.position == 4 + 2
  answer(held, 'two')
  again = talk()
  again.voice.live.load(tmp_path / 'state')
  assert again.voice.live.position == 6 + 4


def test_turns_are_read_as_the_template_has_them(talk):
  template = templates.Chat(TEMPLATE)
  held = talk(template=template, stops=[STOP])
  live, fed = held.voice.live, lambda: bytes(held._fed('hi').tolist()).decode()
  assert fed() == '[user]hi\x03\n[assistant]'
  live.feed(np.frombuffer(b'[user]hi\x03\n[assistant]yes', np.uint8))
  assert fed() == '\x03\n[user]hi\x03\n[assistant]'
  live.feed([STOP])
  assert fed() == '\n[user]hi\x03\n[assistant]'


def test_shades_are_of_what_was_not_expected():
  assert shown.shaded('a', 0.5) == shown.shaded('a', float('nan')) == 'a' and shown.shaded('', 9.0) == ''
  low, high = shown.shaded('a', 2.5), shown.shaded('a', 12.0)
  assert low != high and low.endswith('a' + shown.PLAIN)
  assert shown.shaded('a\n', 9.0).endswith(shown.PLAIN + '\n')
  assert shown.mean([float('nan'), 2.0, 4.0]) == '3.00 bits a token' and shown.mean([]) == 'nothing'

  class Terminal:
    isatty = staticmethod(lambda: True)
  assert shown.can_shade(Terminal, dict(TERM='xterm')) and not shown.can_shade(Terminal, dict(TERM='dumb'))
  assert not shown.can_shade(Terminal, dict(TERM='xterm', NO_COLOR='1'))


def test_a_trajectory_is_told_by_how_far_its_steps_go():
  slots = np.zeros((2, 3, 1, 4, 5))
  slots[:, 2] = 2.0
  assert said(slots) == '2 steps, which moved the slots by 0, 2'


def chat(*args, lines=''):
  run = subprocess.run([sys.executable, '-m', 'launch.chat', *args], cwd=ROOT, input=lines.encode(),
                       capture_output=True, env=os.environ | ENVIRONMENT)
  return run.returncode, run.stdout.decode(), run.stderr.decode()


def test_a_script_talks_in_two_processes_as_in_one(folder):
  common = [f'--workdir={folder}/run', '--length=20']
  code, at_once, err = chat(*common, '--surprise', lines='one, two\nthree\n/state\n')
  assert code == 0, err
  assert len(re.findall(r"you: '.*' \d+\.\d", err)) == 2 and 'kept nowhere' in err and '\x1b' not in at_once + err
  first = chat(*common, f'--state={folder}/talk', lines='one, two\n')
  second = chat(*common, f'--state={folder}/talk', lines='three\n/quit\nnever said\n')
  assert first[0] == second[0] == 0 and first[1] + second[1] == at_once
  assert 'Beginning: 0 tokens' in first[2] and 'Going on: 29 tokens' in second[2]
  wrong = launch('chat', *common, f'--state={folder}/talk', lines='/rewnd\nnever said\n')
  assert wrong.returncode == 2 and not wrong.stdout
  assert len(re.findall("error: .*did you mean 'rewind'", wrong.stderr)) == 1
  assert 'Going on: 55 tokens' in launch('chat', *common, f'--state={folder}/talk').stderr


def test_sigterm_ends_the_answer_and_loses_nothing_told(folder):
  args = [f'--workdir={folder}/run', f'--state={folder}/killed']
  talk = subprocess.Popen([sys.executable, '-m', 'launch.chat', *args, '--length=1000000'], cwd=ROOT,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=os.environ | ENVIRONMENT)
  talk.stdin.write(b'one, two\n')
  talk.stdin.flush()
  told = talk.stdout.read(5)
  talk.send_signal(signal.SIGTERM)
  rest, err = talk.communicate(timeout=100)
  assert talk.returncode == 0 and len(told + rest) >= 5
  ended = re.search(r'Ended: ([\d,]+) tokens', err.decode()).group(1)
  assert int(ended.replace(',', '')) > 9 + 4
  assert f'Going on: {ended} tokens' in launch('chat', *args).stderr


@pytest.mark.parametrize('args, wrong', [
    ((), '--workdir is missing'), (('--workdir={folder}/run', '--bank=x'), 'belong together'),
    (('--workdir={folder}/run', '--state={folder}/none/x'), 'folder that does not exist'),
    (('--workdir={folder}/run', '--state={folder}/document.txt'), 'is no state file')])
def test_mistakes_are_told_in_one_line(folder, args, wrong):
  told = launch('chat', *(a.format(folder=folder) for a in args), lines='hello\n')
  assert told.returncode == 2 and not told.stdout and 'Traceback' not in told.stderr
  assert len(re.findall(f'error: .*{wrong}', told.stderr)) == 1
