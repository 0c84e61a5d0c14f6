"""Runs in a network of its own: see `test_transparent.py`."""
