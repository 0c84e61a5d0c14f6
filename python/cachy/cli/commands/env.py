"""``cachy env``"""

import os
from pathlib import Path

import click

from cachy.cli import stopping
from cachy.cli.environment import folder_of, prepare, remember, take_back
from cachy.cli.shells import SHELLS
from cachy.cli.terminal import Failure, aside
from cachy.cli.through import DEFAULT, ProxyError, is_loopback
from cachy.cli.ways import running


@click.command("env")
@click.option(
    "--shell",
    type=click.Choice(list(SHELLS)),
    default="bash",
    show_default=True,
    help="For whom the lines are; bash is good for every POSIX shell.",
)
@click.option(
    "--proxy", metavar="URL", default=DEFAULT, show_default=True, help="The proxy, which runs."
)
@click.option("--unset", is_flag=True, help="Lines that give back what was there (bash, fish).")
def command(shell: str, proxy: str, unset: bool) -> None:
    """Prints what leads a shell to a proxy that runs.

    Its clients then use that proxy and trust it. They are the variables of `cachy run`, for pip, uv, npm, cargo, git, curl, wget, apt, Java and
    others. The files that they name (the system's roots with the proxy's CA, settings of wget and apt)
    lie in $XDG_STATE_HOME/cachy, else in ~/.local/state/cachy, root's in /var/lib/cachy-clients.

    \b
      eval "$(cachy env)"                                        a shell
      eval "$(cachy env --unset)"                                no more
      cachy env --shell fish | source
      cachy env --shell github >> "$GITHUB_ENV"                  the next steps of a job
      cachy env --shell gitlab --proxy http://cachy:8080         a piece of .gitlab-ci.yml
      docker run $(cachy env --shell docker --proxy URL) IMAGE
      docker build $(cachy env --shell docker-build --proxy URL) .

    A container needs a URL that leads out of it, and no 127.0.0.1 (or --network host). docker and
    docker-build are words for a command line; an image that is built gets the proxy alone, and trusts it
    after `RUN curl -fsS http://cachy.internal/setup.sh | sh`, which the proxy serves.
    """
    if unset and shell not in ("bash", "fish"):
        raise click.UsageError(f"--unset: nothing that is set for {shell} can be taken away")
    try:
        with stopping.in_order():
            if unset:
                folder = Path()
                changes = take_back(os.environ)
            else:
                way = running(proxy)
                if shell.startswith("docker") and is_loopback(way.proxy.host):
                    aside().print(
                        f"cachy: {way.proxy} is this machine alone: a container reaches it by "
                        "--network host",
                        soft_wrap=True,
                    )
                folder = folder_of(way.proxy)
                elsewhere = shell.startswith("docker") or shell == "gitlab"
                changes = prepare(folder, way.proxy, way.ca, os.environ, elsewhere=elsewhere)
                if shell in ("bash", "fish"):
                    remember(changes, os.environ)
    except (OSError, ValueError, ProxyError) as error:
        raise Failure(f"{error}") from error
    for remark in changes.remarks:
        aside().print(f"cachy: {remark}", soft_wrap=True)
    click.echo(SHELLS[shell](changes, folder))
