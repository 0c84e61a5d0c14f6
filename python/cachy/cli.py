"""The command ``cachy``."""

import argparse
import sys
from collections.abc import Sequence

from mitmproxy import optmanager

from cachy import __version__, addon_path, options


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
    commands.add_parser("addon", help='print the addon\'s path, for: mitmdump -s "$(cachy addon)"')
    commands.add_parser("options", help="print the addon's options with their help")
    if parser.parse_args(arguments).command == "addon":
        print(addon_path())
    else:
        print_options()


def print_options() -> None:
    """Prints the options as ``mitmdump --options`` does its own: it exits before it loads scripts."""
    ours = optmanager.OptManager()
    options.declare(ours)
    optmanager.dump_defaults(ours, sys.stdout)
