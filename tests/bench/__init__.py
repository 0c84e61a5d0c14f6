"""How fast cachy is, next to what one could take in its place: `python tests/bench/run.py`."""
