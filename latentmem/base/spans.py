"""A row of [question | thoughts | rest], and the two numbers in it that are no token's.

Who lays out such rows (`tasks.chains`) and who reads them (`model.latent`) agree on where each span begins.
"""

NOTHING = -1
"""Fills what a span has too many."""

THOUGHT = -2
"""Stands where a row thinks."""
