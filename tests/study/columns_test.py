"""Columns are as wide as what stands in them."""

from latentmem.study import columns


def test_cells_stand_under_one_another():
  assert columns.laid([['arm', 'right', ''], ['attention', '5', '10'], ['b', '100.0%', '']]) == [
      'arm        right', 'attention      5 10', 'b         100.0%']
