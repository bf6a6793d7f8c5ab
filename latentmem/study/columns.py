"""Text in columns: the first to the left, the others to the right, each as wide as its widest cell."""


def laid(lines: list[list[str]]) -> list[str]:
  """A text for each line of cells; all lines have as many."""
  wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
  return [' '.join(cell.rjust(n) if i else cell.ljust(n) for i, (cell, n) in enumerate(zip(line, wide))).rstrip()
          for line in lines]
