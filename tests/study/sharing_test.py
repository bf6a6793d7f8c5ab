"""The table counts what runs counted, and the figure shows all arms with all that can arrive."""

import pytest

from latentmem.study import figures, reasoning, sharing


def run(right, **more):
  score = lambda share: dict(accuracy=share, tokens=100, chance=0.3, accuracy_side=share - 0.1,
                             accuracy_what=share + 0.1)
  return dict(own=score(right), shuffled=score(0.31), zeroed=score(0.29), bits=256) | more


HALVES = [run(0.9, bank=dict(half=0.6, merged=0.9, newest=0.5, refused='slot-0', asked=100))]


def test_a_line_is_the_mean_of_runs_and_its_interval_wilsons():
  row = sharing.summary('slots', [run(0.9), run(0.7)])
  assert (row['right'], row['worst'], row['best'], row['seeds'], row['asked']) == (pytest.approx(0.8), 0.7, 0.9, 2, 200)
  assert (row['least'], row['most']) == reasoning.wilson(160, 200)
  assert row['by_type']['side'] == pytest.approx(dict(own=0.7, shuffled=0.21, zeroed=0.19))
  assert not row['bank']


def test_the_table_has_all_arms_types_and_banks():
  rows = [sharing.summary('slots', [run(0.9)]), sharing.summary('halves', HALVES)]
  lines = sharing.table(rows).splitlines()
  assert lines[0].split() == 'arm right least most seeds worst best shuffled zeroed chance bits'.split()
  assert lines[1].split() == 'slots 90.0% 82.6% 94.5% 1 90.0% 90.0% 31.0% 29.0% 30.0% 256'.split()
  assert lines[5].split() == 'side 80.0% 80.0%'.split() and lines[6].split() == 'what 100.0% 100.0%'.split()
  assert lines[8].startswith('halves, over a bank: 60.0% when one') and '90.0% when both' in lines[8]


def test_the_figure_shows_every_arm_and_what_can_arrive():
  axes, = sharing.draw([sharing.summary('slots', [run(0.9)]), sharing.summary('halves', HALVES)], 'share').axes
  assert [text.get_text() for text in axes.get_xticklabels()] == ['slots\n256 bits', 'halves\n256 bits']
  assert {text.get_text() for text in axes.figure.legends[0].get_texts()} == {*sharing.SENT.values(), 'chance'}
  assert figures.png(axes.figure).startswith(b'\x89PNG')
