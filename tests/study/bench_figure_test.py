"""The figure of a bench record draws what finished and leaves out what failed."""

from latentmem.study import bench_figure


def row(who, what, length, chunk, seconds=1.0, **rest):
  return dict(who=who, what=what, length=length, chunk=chunk, seconds=[seconds], peak=dict(host=10**9), **rest)


RECORD = dict(rows=[
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
  assert bench_figure.png(RECORD).startswith(b'\x89PNG')
