"""What the README shows works: its Python runs, its commands exist, and .ci/run takes the tests from it."""

import pathlib
import re
import shutil
import subprocess
import sys
import types

from latentmem import memory
from latentmem.model import compose
from tests.train import small

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()


def blocks(language):
  return re.findall(rf'^```{language}\n(.*?)^```$', README, re.M | re.S)


def marked(mark):
  return re.search(rf'^<!-- {mark} -->\n```bash\n(.*?)\n```$', README, re.M | re.S).group(1)


def test_its_python_runs():
  assert len(blocks('python')) == 4
  space = {}
  for block in blocks('python'):
    exec(compile(block, 'README.md', 'exec'), space)
  # The memory of the second block, in the model of the first.
  average = space['Average'](width=32)
  start = lambda it, x: it(it.init_state(x.shape[0]), x)
  (_, y_BTD), _ = average.init_with_output(space['jax'].random.key(0), space['x_BTD'], method=start)
  assert y_BTD.shape == space['x_BTD'].shape


def test_its_memory_trains(monkeypatch, tmp_path):
  module = types.ModuleType('latentmem.memory.average')
  exec(compile(blocks('python')[-1], 'README.md', 'exec'),
       vars(module))
  monkeypatch.setitem(sys.modules, module.__name__, module)
  monkeypatch.setattr(memory._ROOM, 'kinds', lambda: ['average', 'none'])
  run, _ = small.run(tmp_path / 'run', small.config(model_fields=dict(memory=dict(kind='average')), steps=2))
  assert run.metrics('heldout')[-1]['accuracy'] is not None


def test_its_two_commands_are_one_line_each():
  assert marked('quickstart') == 'pip install -e . && python -m launch.train --config=configs/quickstart.py'
  assert marked('tests') == "pip install -e '.[test]' && python -m pytest"


def test_every_command_it_names_exists():
  commands = re.findall(r'python -m (launch\.\w+)((?: +--?\S+)*)', README)
  assert len(commands) >= 6
  for module, flags in commands:
    launcher = ROOT / (module.replace('.', '/') + '.py')
    assert launcher.exists(), module
    known = launcher.read_text() + (ROOT / 'launch' / 'shell.py').read_text()
    for flag in re.findall(r'--(\w+)', flags):
      assert f"'{flag}'" in known, f'{module} has no --{flag}'
  for config in re.findall(r'configs/\w+\.py', README):
    assert (ROOT / config).exists(), config


def test_its_links_lead_somewhere():
  for target in re.findall(r'\]\(([^)#]+)\)', README):
    assert (ROOT / target).exists(), target


def test_its_tables_name_every_memory_and_every_composition():
  named = set(re.findall(r'^\| `(\w+)` \|', README, re.M))
  assert set(memory.kinds()) | set(compose.kinds()) <= named


def test_its_tree_names_every_room():
  named = set(re.findall(r'^      (\w+)/ ', README, re.M))
  assert named == {p.parent.name for p in (ROOT / 'latentmem').glob('*/__init__.py')}


def test_ci_fails_where_the_readme_has_no_test_command(tmp_path):
  shutil.copytree(ROOT / '.ci', tmp_path / '.ci')
  (tmp_path / 'README.md').write_text(README.replace('<!-- tests -->', ''))
  run = subprocess.run(['bash', str(tmp_path / '.ci' / 'run')], capture_output=True, text=True)
  assert run.returncode == 1 and 'no test command' in run.stderr


def test_ci_runs_the_readmes_test_command_and_ruff_in_an_environment_of_its_own(tmp_path):
  shutil.copytree(ROOT / '.ci', tmp_path / '.ci')
  (tmp_path / 'README.md').write_text(README)
  # An interpreter whose environments hold a pip, a python and a ruff that only say that they were called.
  fake = tmp_path / 'fake'
  fake.write_text('#!/bin/bash\nmkdir "$3/bin"\nprintf \'PATH="%s/bin:$PATH"\\n\' "$3" > "$3/bin/activate"\n'
                  'for tool in pip python ruff; do\n'
                  '  printf \'#!/bin/bash\\necho called %s "$@"\\n\' $tool > "$3/bin/$tool"\n'
                  '  chmod +x "$3/bin/$tool"\ndone\n')
  fake.chmod(0o755)
  run = subprocess.run(['bash', str(tmp_path / '.ci' / 'run')], capture_output=True, text=True,
                       env=dict(PATH='/usr/bin:/bin', PYTHON=str(fake)))
  assert run.returncode == 0, run.stderr
  called = [line for line in run.stdout.splitlines() if line.startswith('called')]
  assert called == ['called pip install -e .[test]', 'called python -m pytest', 'called ruff check .']
