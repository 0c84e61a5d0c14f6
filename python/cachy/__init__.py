"""A mitmproxy addon that caches anything, HTTPS included, in a plain directory tree."""

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
