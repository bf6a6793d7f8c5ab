"""Sequence models whose memory keeps learning while it reads."""

__version__ = '0.1.0'
