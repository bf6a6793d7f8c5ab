"""The table counts what runs counted, and its intervals are Wilson's."""

import pytest

from latentmem.study import figures, reasoning

RUN = dict(right=90, problems=100, said=3.0, passes=6.0, flops_after=2e6, flops=50e6, seconds=0.004, stilled=0, cut=0)


@pytest.mark.parametrize('right, of, least, most', [
    (81, 263, 0.2553, 0.3662), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)])
def test_intervals_are_wilsons(right, of, least, most):
  """Newcombe 1998, table I, and the closed form at the edges."""
  assert reasoning.wilson(right, of) == pytest.approx((least, most), abs=1e-4)


def test_a_line_sums_answers_and_means_costs():
  row = reasoning.summary('pause', [RUN, RUN | dict(right=70, flops=70e6, seconds=0.006)])
  assert (row['right'], row['worst'], row['best'], row['seeds']) == (0.8, 0.7, 0.9, 2)
  assert row['whole'] == 60 and row['after'] == 2
  assert row['ms'] == pytest.approx(5) and (row['least'], row['most']) == reasoning.wilson(160, 200)


def test_the_table_has_a_line_an_arm_and_the_rules():
  rows = [reasoning.summary(arm, [RUN]) for arm in ('pause', 'feedback')]
  lines = reasoning.table(rows, dict(farther=0.91)).splitlines()
  assert lines[0].split() == 'arm right least most seeds worst best said passes after whole ms'.split()
  assert lines[1].split() == 'pause 90.0% 82.6% 94.5% 1 90.0% 90.0% 3.0 6.0 2.00 50.00 4.00'.split()
  assert lines[2].startswith('feedback') and "'farther': 91.0% right" in lines[3]


def test_the_table_tells_when_a_brake_acted():
  rows = [reasoning.summary('state', [RUN | dict(stilled=7, cut=2), RUN]), reasoning.summary('pause', [RUN])]
  line, = [line for line in reasoning.table(rows, {}).splitlines() if 'of 200 answers' in line]
  assert line.startswith('state') and ' 7 ' in line and ' 2 ' in line


def test_the_table_tells_what_was_not_asked():
  rows = [reasoning.summary('state', [RUN | dict(left_out=31)] * 2), reasoning.summary('pause', [RUN])]
  told = [line for line in reasoning.table(rows, {}).splitlines() if 'left out' in line]
  assert len(told) == 1 and told[0].startswith('state: 31 held-out problems')


def test_the_figure_shows_every_arm_and_rule():
  rows = [reasoning.summary('pause', [RUN]), reasoning.summary('state', [RUN | dict(flops_after=4e6)])]
  axes, = reasoning.draw(rows, dict(farther=0.5), 'matched').axes
  assert {text.get_text() for text in axes.texts} == {'pause', 'state', 'farther'}
  assert figures.png(axes.figure).startswith(b'\x89PNG')
  for right in (0, 500):
    assert reasoning.draw([reasoning.summary('pause', [RUN | dict(right=right, problems=500)])], {}, '').axes
