"""Experiments: each file a lab note whose `get_config` returns every field."""
