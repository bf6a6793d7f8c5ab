"""A conversation in a terminal: who speaks, what is kept, how it is shown."""
