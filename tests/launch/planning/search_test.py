"""Choices follow from what was compiled, and what is said of them follows from their numbers."""

import dataclasses
import json

import pytest

from configs import lm
from latentmem.base.errors import InputError
from launch import plan as launcher
from launch.planning import chips, programs, search

V5E = chips.parse('v5e:2x2')


def made(choice, activations=1.0, **seconds):
  """A plan with so many GiB of activations."""
  held = dict(parameters=chips.GIB, optimizer=2 * chips.GIB, memories=0, batch=0,
              activations=int(activations * chips.GIB), program=0)
  seconds = dict(compute=0.1, memory=0.2, links=0.05) | seconds
  fits = sum(held.values()) <= V5E.chip.memory
  return programs.Plan(choice, fits, held, 10**15, {'all-gather': 1e9} if fits else {}, seconds if fits else {}, 3.0)


def config(rows=64, **mesh):
  return launcher.whole(lm.config('mag', '170m').to_dict() | dict(
      mesh=dict(data=1, fsdp=-1, tensor=1) | mesh, train=dict(rows=rows, length=1024)))


@pytest.mark.parametrize('name, size, axes', [
    ('v5e:4x4', 16, 2), ('v5p:4x4x4', 64, 3), ('h200:8', 8, 0), ('h100:2x8', 16, 0)])
def test_topologies(name, size, axes):
  topology = chips.parse(name)
  assert topology.size == size and topology.chip.axes == axes


@pytest.mark.parametrize('name, said', [
    ('v5:4x4', "no chip 'v5'.*did you mean"), ('v5e', '2 numbers after the colon'), ('v5e:4x4x4', '2 numbers'),
    ('v5p:4x4', '3 numbers'), ('v5e:0x4', '2 numbers'), ('v5e:axb', 'v5e:4x4'), ('h200:1x2x3', 'hosts x devices')])
def test_topologies_that_are_none(name, said):
  with pytest.raises(InputError, match=said):
    chips.parse(name)


def test_a_configs_own_choice_comes_first_and_alone_unless_more_are_asked_for():
  first = search.asked(config(), V5E)
  assert first == (1, 4, 1, 1, 'full', 64)
  assert list(search.choices(config(), V5E, first, [], 1)) == [first]


def run(fits, tries=50, rows=64):
  """All choices that a search makes, where `fits(choice)` says which have room."""
  chosen, plans = config(rows), []
  for choice in search.choices(chosen, V5E, search.asked(chosen, V5E), plans, tries):
    plans.append(made(choice, 1.0 if fits(choice) else 30.0))
  return plans


def test_on_each_mesh_the_remat_that_keeps_most_of_those_that_fit():
  plans = run(lambda choice: choice.remat != 'none')
  assert {p.choice[:3] for p in plans} == {(1, 4, 1), (1, 2, 2), (1, 1, 4), (4, 1, 1), (2, 1, 2)}
  assert {p.choice.remat for p in plans if p.choice.tensor > 1} == {'none', 'dots'}
  assert {p.choice.rows for p in plans} == {64}


def test_rows_are_halved_until_something_fits():
  plans = run(lambda choice: choice.rows <= 16)
  assert sorted({p.choice.rows for p in plans}) == [16, 32, 64]
  assert len(run(lambda choice: False, tries=5)) == 5


def test_the_best_plan_has_most_tokens_a_second():
  slow, fast = made(programs.Choice(1, 4, 1, 1, 'full', 64), memory=0.4), made(programs.Choice(1, 2, 2, 1, 'dots', 64))
  text, best = search.told([slow, fast], V5E, config())
  text = ' '.join(text.split())
  assert best is fast
  assert 'best: data=1 fsdp=2 tensor=2 remat=dots rows=64' in text and 'left 11.750 GiB' in text
  assert '327,680 tokens a second, 50% of peak' in text


def test_a_plan_that_cannot_fit_says_what_is_too_large_and_what_may_fit():
  text, best = search.told([made(programs.Choice(1, 4, 1, 1, 'none', 64), 100.0)], V5E, config())
  text = ' '.join(text.split())
  assert best is None
  assert 'activations are the largest part' in text and 'model.remat=dots or train.rows=8 may fit' in text
  assert 'too much 87.250 GiB' in text
  huge = made(programs.Choice(1, 4, 1, 1, 'full', 64), 1.0)
  huge = huge._replace(fits=False, held=huge.held | dict(parameters=60 * chips.GIB))
  assert '4 times as many devices along fsdp would' in search.told([huge], V5E, config())[0]


def test_a_record_holds_every_plan():
  plans = [made(programs.Choice(1, 4, 1, 1, 'none', 64), 100.0), made(programs.Choice(1, 4, 1, 1, 'full', 64))]
  record = search.record(plans, V5E, config())
  assert [row['step'] for row in record['plans']] == [None, 0.2]
  assert record['plans'][1]['choice']['remat'] == 'full' and record['topology']['chip']['memory'] == V5E.chip.memory
  json.dumps(record)


def test_what_a_compiler_says_is_too_much_is_read():
  says = 'RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (34.18G) exceeds'
  assert programs.over_limit(says, 5) == int(34.18 * chips.GIB)
  assert programs.over_limit('Ran out of memory in memory space hbm. Used 27.06G of 15.75G hbm.', chips.GIB) == int(
      27.06 * chips.GIB) - chips.GIB
  assert programs.over_limit('INTERNAL: something else', 5) is None


def test_no_field_is_lost():
  whole = config()
  assert whole['model']['vocab'] == 32_000 and 'beta1' in whole['train']
  assert dataclasses.is_dataclass(programs.train.build(programs.train.Train, whole['train']))
