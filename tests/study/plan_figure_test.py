"""The figure of a plan shows what fills a device and what a step waits for."""

import pytest

from latentmem.study import figures, plan_figure

GIB = 2**30


def plan(activations, seconds):
  held = dict(parameters=GIB, optimizer=2 * GIB, activations=activations * GIB)
  return dict(choice=dict(data=1, fsdp=4, tensor=1, remat='full', rows=8), held=held, seconds=seconds)


def test_a_bar_for_each_part_of_each_choice():
  record = dict(topology=dict(name='v5e:2x2', chip=dict(memory=16 * GIB)), plans=[
      plan(100, {}), plan(1, dict(compute=0.1, memory=0.2, links=0.05))])
  held, waits = plan_figure.draw(record).axes
  assert len(held.containers) == 6
  assert sum(bar.get_width() for bars in held.containers for bar in bars) == pytest.approx(103 + 4)
  assert [bar.get_width() for bar in waits.containers[0]] == [0, 100.0]
  assert figures.png(held.figure).startswith(b'\x89PNG')
