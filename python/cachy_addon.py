"""For ``mitmdump -s``: registers the addon of the package ``cachy``."""

import sys
from pathlib import Path

here = Path(__file__).parent
if not any((here / "cachy").glob("_core.*")):
    # In a source checkout the package beside this file isn't built: the installed one is meant.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != here]

from cachy.addon import Cachy

addons = [Cachy()]
