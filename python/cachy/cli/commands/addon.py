"""``cachy addon``"""

import click

from cachy import addon_path


@click.command("addon")
def command() -> None:
    """Prints the addon's path, for: mitmdump -s "$(cachy addon)"."""
    click.echo(addon_path())
