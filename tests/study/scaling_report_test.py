"""Groups are compared where both have runs, and what the law says beyond them is said to be beyond."""

import pytest

from latentmem.base.errors import InputError
from latentmem.study import scaling, scaling_report

LAW = scaling.Law(1.2, 40.0, 300.0, 0.35, 0.37)


def group(k=6.0, budgets=(1e12, 1e14), sizes=(1e4, 1e6), lengths=(1e5, 1e10)):
  return dict(law=LAW._asdict(), intervals={}, runs=9, k=k, off=0.0, budgets=budgets, sizes=sizes,
              lengths=lengths, undetermined=[], same_budget=[])


def test_budgets_are_those_that_all_span():
  rows = scaling_report.compared(dict(a=group(), b=group(k=12.0, budgets=(1e13, 1e15))))
  assert [row['flops'] for row in rows[::2]] == pytest.approx([1e13, 10**(13 + 1 / 3), 10**(13 + 2 / 3), 1e14])
  for one, other in zip(rows[::2], rows[1::2]):
    assert one['loss'] == pytest.approx(LAW.frontier(one['flops'], 6.0)) and one['loss'] < other['loss']


@pytest.mark.parametrize('beyond', [dict(sizes=(1e4, 2e4)), dict(lengths=(1e4, 2e4))])
def test_what_is_beyond_the_runs_is_said_to_be(beyond):
  assert all(row['inside'] for row in scaling_report.compared(dict(a=group())))
  rows = scaling_report.compared(dict(a=group(**beyond)))
  assert not any(row['inside'] for row in rows)
  told = scaling_report.text(dict(groups=dict(a=group()), compared=rows))
  assert told.count('which is beyond the runs') == len(rows)


def test_a_law_at_a_bound_is_said_to_be():
  law = LAW._replace(beta=scaling.BOUNDS[1])
  assert law.undetermined() == ['beta'] and not LAW.undetermined()
  told = scaling_report.text(dict(groups=dict(a=group() | dict(undetermined=['beta'])), compared=[]))
  assert 'these runs do not determine beta' in told


@pytest.mark.parametrize('least, said', [(1.2, []), (0.0, ['E'])])
def test_a_loss_that_could_as_well_go_to_nothing_is_said_to_be(least, said):
  law = LAW._replace(E=least)
  points = [dict(group='a', name=f'{n}-{d}', parameters=n, tokens=d, flops=6 * n * d, loss=float(law.loss(n, d)),
                 of='x') for n in (1e4, 1e5, 1e6) for d in (1e5, 1e6, 1e7)]
  assert scaling_report.report(points, draws=20)['groups']['a']['undetermined'] == said


def test_groups_without_a_budget_in_common_are_not_compared():
  groups = dict(a=group(budgets=(1e10, 1e11)), b=group())
  assert not scaling_report.compared(groups)
  assert 'cannot be compared' in scaling_report.text(dict(groups=groups, compared=[]))


def test_more_groups_than_colours_are_all_drawn():
  names = 'abcdef'
  points = [dict(group=name, parameters=1e5, tokens=1e7, flops=6e12, loss=2.0) for name in names]
  figure = scaling_report.draw(dict(points=points, groups={name: group() for name in names}, compared=[]))
  assert [text.get_text() for text in figure.axes[-1].get_legend().get_texts()] == list(names)


def test_runs_of_other_data_are_refused():
  points = [dict(name='x', group='a', of='loss of the data 1'), dict(name='y', group='a', of='loss of the data 2')]
  with pytest.raises(InputError, match='x has loss of the data 1, y has'):
    scaling_report.report(points)
