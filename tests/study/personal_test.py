"""The table of personal memories: shares, intervals, types, sizes."""

import pytest

from latentmem.study import figures, personal
from latentmem.study.reasoning import wilson


def scored(right, of):
  return dict(accuracy=right / of, tokens=of, by_type=dict(facts=dict(accuracy=right / of, asked=of)))


def run(right, swapped):
  return dict(own=scored(right, 40), swapped=scored(swapped, 40), numbers=128, shared=1000, kv_bytes=4096)


ROWS = [personal.summary('lpm', [run(30, 10), run(34, 12)]), personal.summary('none', [run(10, 10)]),
        personal.of_history(scored(36, 40) | dict(history=1024, kv_bytes=8192))]
SIZES = [dict(base='Qwen3-8B', lpm=10, lora=2000, fewer=200.0, kv_lpm=64, kv_history=6400, less=100.0, history=32768)]


def test_seeds_are_counted_together():
  row = ROWS[0]
  assert row['right'] == 64 / 80 and (row['least'], row['most']) == wilson(64, 80) and row['asked'] == 80
  assert row['swapped'] == 22 / 80 and (row['swapped_least'], row['swapped_most']) == wilson(22, 80)
  assert row['by_type']['facts']['right'] == 64 / 80 and row['seeds'] == 2


def test_intervals_stay_between_nothing_and_everything():
  rows = [personal.summary('lpm', [run(right, right)]) for right in (0, 40)]
  assert '-0%' not in personal.table(rows)
  assert rows[0]['least'] == 0 < rows[0]['most'] and rows[1]['least'] < 1 == rows[1]['most']


def test_the_text_has_every_arm_type_and_size():
  text = personal.table(ROWS) + personal.sizes(SIZES)
  assert personal.counted(1) == '1 person' and personal.counted(4) == '4 people'
  few = personal.of_history(scored(3, 4) | dict(history=9000, people=4, kv_bytes=8))
  assert 'history 9000 of 4 people' in personal.table([few])
  assert '80.0%' in text and 'history 1024' in text and '90.0%' in text and '32,768' in text
  lines = text.splitlines()
  assert next(line for line in lines if line.startswith('facts')).count('[') == 3
  assert next(line for line in lines if line.startswith('none')).split()[1] == '25.0%'


def test_lengths_are_those_of_histories_and_memories_are_lines():
  more = personal.of_history(scored(39, 40) | dict(history=8192, people=4, kv_bytes=65536))
  figure = personal.by_length([*ROWS, more], 'persons')
  left, right = figure.axes
  assert left.containers[0].lines[0].get_xdata().tolist() == right.lines[0].get_xdata().tolist() == [1024, 8192]
  assert right.lines[0].get_ydata().tolist() == [8192, 65536]
  assert [text.get_text() for text in left.texts] == ['4 people']
  assert [line.get_ydata()[0] for line in left.lines if line.get_label() in ('lpm', 'none')] == [0.8, 0.25]
  assert [line.get_label() for line in right.lines] == ['history is read', 'lpm', 'none']
  for axes in (left, right):
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ['1,024', '8,192']
    assert not len(axes.get_xticks(minor=True))
  changed = personal.summary('lora', [run(10, 10) | dict(kv_bytes=0)])
  assert len(personal.by_length([*ROWS, more, changed], 'persons').axes[1].lines) == 3
  assert figures.png(figure)[:4] == b'\x89PNG'


def test_the_figure_has_points_for_own_and_swapped():
  figure = personal.draw(ROWS, 'persons')
  axes, = figure.axes
  own, swapped = (container.lines[0].get_ydata() for container in axes.containers)
  alone, = personal.draw([ROWS[2]], 'a base').axes
  assert len(alone.containers) == 1
  assert own == pytest.approx([0.8, 0.25, 0.9]) and swapped == pytest.approx([22 / 80, 0.25])
  assert figures.png(figure)[:4] == b'\x89PNG'
