"""What the paper promises of sizes holds at the sizes of Qwen3, by shapes alone."""

import jax
import pytest

from latentmem import model, personal
from latentmem.base import arrays
from latentmem.model import interface
from latentmem.personal import counts
from tests.personal import small


def test_at_qwen3s_sizes_lpm_has_a_hundredth_of_loras_numbers_and_a_64th_of_the_keys_and_values():
  rows = counts.at_sizes_of_qwen3()
  assert [row['base'] for row in rows] == ['Qwen3-1.7B', 'Qwen3-4B', 'Qwen3-8B']
  for row in rows:
    assert row['lpm'] == 64 * 32 * 64
    assert row['fewer'] > 100 and row['lora'] > 100 * row['lpm']
    assert row['less'] >= 64 and row['kv_history'] >= 64 * row['kv_lpm'] > 0


def test_qwen3s_sizes_are_its_own():
  """Parameters as the models' names and cards have them, in billions, within 2 %."""
  for (name, sizes), billions in zip(counts.QWEN3.items(), (1.72, 4.02, 8.19)):
    net = model.make('qwen3', **counts.ALIKE, **sizes)
    shapes = jax.eval_shape(lambda key, net=net: interface.init_params(net, key), jax.random.key(0))
    assert arrays.count_of(shapes) == pytest.approx(billions * 1e9, rel=0.02), name


@pytest.mark.parametrize('kind', personal.kinds())
def test_numbers_are_those_of_the_parameters(kind):
  net, params, _ = small.built(kind)
  tables = params['params']['personal']
  own, shared = counts.numbers(net.adapter, net.base)
  assert own * small.PEOPLE == arrays.count_of(tables.get('personal', {}))
  assert shared == arrays.count_of(tables.get('shared', {}))
  assert counts.prompt_tokens(net.adapter, net.base) == net.prompt == dict(lpm=3, lora=0, prompt=3, none=3)[kind]


def test_bytes_of_keys_and_values_are_those_of_the_carry():
  net = model.make(**small.BASE)
  carry = net.init_state(1)
  held = sum(a.nbytes for name, a in carry.items() if name in ('k', 'v'))
  assert counts.kv_bytes(small.BASE, small.BASE['context']) == held > 0
