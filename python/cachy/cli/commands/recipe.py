"""``cachy recipe``"""

from importlib.resources import files

import click

RECIPES = {
    "shell.sh": "a step of any CI, or a script",
    "github.yml": "GitHub Actions, with the tree kept by its cache",
    "gitlab.yml": "GitLab CI: a tree that is kept, or the proxy as a service",
    "client.Dockerfile": "docker build behind a proxy",
    "server.Dockerfile": "the proxy in a container",
    "cachy.service": "systemd: the proxy of an office",
    "cachy.socket": "systemd: and where its clients connect, also while it restarts",
    "cachy-bridge.conf": "systemd: and transparent for what is behind a bridge",
}


@click.command(
    "recipe",
    epilog="\b\n" + "\n".join(f"{name:<20} {what}" for name, what in RECIPES.items()),
)
@click.argument("name", type=click.Choice(list(RECIPES)), metavar="NAME")
def command(name: str) -> None:
    """Prints a file to begin with: for a CI system, Docker or systemd.

    \b
    For example:
      cachy recipe github.yml > .github/workflows/build.yml
    """
    click.echo((files("cachy") / "recipes" / name).read_text("utf-8"), nl=False)
