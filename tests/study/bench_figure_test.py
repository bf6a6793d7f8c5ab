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


def test_what_a_checkpoint_takes_stands_beside_what_it_may():
  row = dict(length=32, weights=100, imported=1, loaded=2, first_token=5, second_token=7, before=20, after_loading=120,
             peak=140)
  seconds, memory = bench_figure.draw(dict(suite='qwen3', rows=[row], limit=dict(seconds=60, memory=1.5))).axes
  assert [list(line.get_ydata()) for line in seconds.lines] == [[1, 2, 5, 7], [60, 60]]
  assert [list(line.get_ydata()) for line in memory.lines] == [[0.2, 1.2, 1.4], [1.5, 1.5]]
