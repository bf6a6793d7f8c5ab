"""The figure of a bench record draws what finished and leaves out what failed."""

from latentmem.study import bench_figure, figures


def row(who, what, length, chunk, seconds=1.0, **rest):
  return dict(who=who, what=what, length=length, chunk=chunk, seconds=[seconds], peak=dict(host=10**9), **rest)


RECORD = dict(suite='memory', rows=[
    row('latentmem', 'forward', 1024, 64), row('latentmem', 'forward', 4096, 64), row('latentmem', 'train', 1024, 64),
    row('titans-pytorch', 'train', 1024, 64, seconds=9.0), row('latentmem', 'decode', 128, 64),
    dict(who='titans-pytorch', what='forward', length=4096, chunk=64, failed='longer than 300 s')])


def test_a_line_for_each_who_and_chunk_that_finished():
  forward, train, memory = bench_figure.draw(RECORD).axes
  assert [line.get_label() for line in forward.lines] == ['latentmem, chunk 64']
  assert {line.get_label(): list(line.get_ydata()) for line in train.lines} == {
      'latentmem, chunk 64': [1.0], 'titans-pytorch, chunk 64': [9.0]}
  assert len(memory.lines) == 2


def test_it_is_a_png():
  assert figures.png(bench_figure.draw(RECORD)).startswith(b'\x89PNG')


def test_a_panel_for_each_thing_of_the_recurrence():
  seconds = dict(many=[0.2, 0.1], in_turn=[0.4, 0.5])
  rows = [dict(what=what, length=length, seconds=seconds) for what in ('a', 'b') for length in (16, 64)]
  panels = bench_figure.draw(dict(suite='recurrence', rows=rows)).axes
  assert [axes.get_title('left') for axes in panels] == ['a', 'b']
  assert [list(line.get_ydata()) for line in panels[0].lines] == [[0.1, 0.1], [0.4, 0.4]]
