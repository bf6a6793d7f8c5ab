"""What was said is told by model and category, the mean of seeds, and drawn."""

import pytest

from latentmem.study import figures, said


def score(f1, of=10):
  return dict(f1=f1, error=0.1, asked=of, by_type={
      'temporal': dict(f1=f1, error=0.2, asked=of), 'adversarial': dict(f1=1 - f1, error=0.05, asked=2)})


SCORES = said.together(dict(lpm=[dict(own=score(0.2), swapped=score(0.1)), dict(own=score(0.4), swapped=score(0.1))],
                            lora=[]), {'question alone': score(0.05)})


def test_seeds_are_one_mean():
  assert list(SCORES) == ['lpm', 'lpm, swapped', 'question alone']
  assert SCORES['lpm']['f1'] == pytest.approx(0.3) and SCORES['lpm']['asked'] == 10
  assert SCORES['lpm']['by_type']['adversarial'] == dict(f1=pytest.approx(0.7), error=pytest.approx(0.05), asked=2)
  assert SCORES['lpm, swapped']['f1'] == pytest.approx(0.1)


def test_the_table_has_a_line_a_model_and_a_column_a_category():
  lines = said.table(SCORES).splitlines()
  assert lines[0].split() == 'F1 of what is said all but adversarial temporal adversarial'.split()
  assert lines[1].split() == 'lpm 30.0 +- 10.0 30.0 +- 20.0 70.0 +- 5.0'.split()
  assert lines[3].startswith('question alone') and '95.0 +- 5.0' in lines[3]


def test_what_was_not_asked_is_left_empty():
  nothing = score(0.5) | dict(f1=None, error=None, asked=0)
  scores = said.together({}, dict(alone=nothing))
  assert said.table(scores).splitlines()[1].split() == 'alone 50.0 +- 20.0 50.0 +- 5.0'.split()
  assert figures.png(said.draw(scores, 'x'))[:4] == b'\x89PNG'


def test_the_figure_has_a_point_for_every_category():
  axes, = said.draw(SCORES, 'locomo').axes
  assert [container.lines[0].get_ydata().tolist() for container in axes.containers] == [
      pytest.approx([0.3, 0.3, 0.7]), pytest.approx([0.1, 0.1, 0.9]), pytest.approx([0.05, 0.05, 0.95])]
  assert figures.png(axes.figure)[:4] == b'\x89PNG'


@pytest.mark.parametrize('error', [0.3, 0.001])
def test_no_two_ticks_read_alike(error):
  few = dict(f1=2 * error, error=error, asked=10, by_type={})
  axes, = said.draw(dict(lpm=few), 'locomo').axes
  figures.png(axes.figure)
  read = [tick.get_text() for tick in axes.get_yticklabels()]
  assert len(set(read)) == len(read) > 2 and all(each.endswith('%') for each in read)
