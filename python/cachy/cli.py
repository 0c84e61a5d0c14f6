"""The command ``cachy``."""

import argparse
from collections.abc import Sequence

from cachy import __version__, addon_path


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command.

    Args:
        arguments: What stands behind the command's name; the process's own where not given.

    Raises:
        SystemExit: With 2 for arguments that it doesn't know.
    """
    parser = argparse.ArgumentParser(
        prog="cachy",
        description="Caches anything that goes through mitmproxy, in a plain directory tree.",
    )
    parser.add_argument("--version", action="version", version=f"cachy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "addon",
        help='print where the addon lies, for: mitmdump -s "$(cachy addon)"',
    )
    parser.parse_args(arguments)
    print(addon_path())
