"""A mitmproxy addon that caches anything, HTTPS included, in a plain directory tree.

`addon` has the hooks, `layer` and `stream` mitmproxy's own kind of layer in our way, with one module
for each thing that they need; `_core` decides and stores. `cli` is the command, `dump` the mitmdump
that it starts, `enclosed` a command in a network of its own, `recipes` files to begin with.
"""

from pathlib import Path

from cachy._core import __version__

__all__ = ["__version__", "addon_path"]


def addon_path() -> Path:
    """Where the script for ``mitmdump -s`` lies.

    Raises:
        FileNotFoundError: The package was installed without it.
    """
    path = Path(__file__).parent.parent / "cachy_addon.py"
    if not path.is_file():
        raise FileNotFoundError(
            2, "the package is incomplete, install it again; missing", str(path)
        )
    return path
