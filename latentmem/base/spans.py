"""A row of [question | thoughts | rest], and the two numbers in it that are no token's.

Who lays out such rows (`tasks.chains`) and who reads them (`model.latent`) agree on where each span begins.
B rows, T tokens, Q tokens of a question, K thoughts, A tokens of the rest.
"""

# Fills what a span has too many.
NOTHING = -1

# Stands where a row thinks.
THOUGHT = -2


def split(a_BT, question: int, thoughts: int):
  """-> a_BQ, a_BK, a_BA of rows [B, T, ...]."""
  begins = question + thoughts
  return a_BT[:, :question], a_BT[:, question:begins], a_BT[:, begins:]
