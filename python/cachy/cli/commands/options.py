"""``cachy options``"""

import sys

import click


@click.command("options")
def command() -> None:
    """Prints the addon's options with their help.

    As ``mitmdump --options`` prints its own: version 11 exits before it loads scripts.
    """
    from mitmproxy import optmanager

    from cachy import options

    ours = optmanager.OptManager()
    options.declare(ours)
    optmanager.dump_defaults(ours, sys.stdout)
