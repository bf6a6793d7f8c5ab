"""launch.record gathers a run that launch.train left."""

import json

from tests.launch.commands import launch
from tests.study.gather_test import finished


def test_it_writes_the_record(tmp_path):
  out = tmp_path / 'kept' / 'recall.json'
  done = launch('record', f'--runs={finished(tmp_path / "a")}', f'--out={out}', '--note=alone')
  assert done.returncode == 0, done.stderr
  assert json.loads(out.read_text())['scores'][0]['heldout'] == dict(accuracy=0.5)


def test_what_is_missing_is_named(tmp_path):
  done = launch('record', f'--runs={tmp_path / "nowhere"}', f'--out={tmp_path / "x.json"}')
  assert done.returncode == 2 and 'There is no folder' in done.stderr and not (tmp_path / 'x.json').exists()
