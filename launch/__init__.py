"""Commands: `python -m launch.train` and its neighbours."""
from launch import huge_pages

huge_pages.ask()
