"""launch.record gathers a run that launch.train left."""

import json
import subprocess
import sys

from tests.study.gather_test import finished


def record(*flags):
  return subprocess.run([sys.executable, '-m', 'launch.record', *flags], capture_output=True, text=True)


def test_it_writes_the_record(tmp_path):
  out = tmp_path / 'kept' / 'recall.json'
  done = record(f'--runs={finished(tmp_path / "a")}', f'--out={out}', '--note=alone')
  assert done.returncode == 0, done.stderr
  assert json.loads(out.read_text())['scores'][0]['heldout'] == dict(accuracy=0.5)


def test_what_is_missing_is_named(tmp_path):
  done = record(f'--runs={tmp_path / "nowhere"}', f'--out={tmp_path / "x.json"}')
  assert done.returncode == 2 and 'There is no folder' in done.stderr and not (tmp_path / 'x.json').exists()
