"""For ``mitmdump -s``: registers the addon of the package ``cachy``."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

here = Path(__file__).parent
if not any((here / f"cachy/_core{suffix}").exists() for suffix in EXTENSION_SUFFIXES):
    # In a source checkout the package beside this file isn't built: the installed one is meant.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != here]

from cachy.addon import Cachy

addons = [Cachy()]
