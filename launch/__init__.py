"""Commands: `python -m launch.train` and its neighbours."""
