"""``cachy run``"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click

from cachy import enclosed
from cachy.cli import child, finishing, report, stopping, unseen, ways
from cachy.cli.environment import BUNDLE, prepare
from cachy.cli.launch import LaunchError
from cachy.cli.relay import Relay
from cachy.cli.report import Report
from cachy.cli.terminal import Failure, aside, folder, set_option
from cachy.cli.through import Proxy, ProxyError, internal
from cachy.cli.ways import Way

#: Exit codes from here on tell of a signal.
STOPPED = 128


class NotRun(Failure):
    """It could not be done, and the command was not run: as `env` and its like have it."""

    exit_code = 125


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--proxy", metavar="URL", help="A proxy that runs, in place of one of its own.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False),
    callback=folder,
    show_default="$CACHY_DIR, else $XDG_CACHE_HOME/cachy, else ~/.cache/cachy",
    help="The tree.",
)
@click.option("--offline", is_flag=True, help="Ask nobody: short for --mode offline.")
@click.option(
    "--mode",
    type=click.Choice(["normal", "offline", "refresh", "off"]),
    help="See `cachy options`.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report there, too: as JSON (.json) or Markdown (.md); to any other file Markdown "
    "is appended, as to $GITHUB_STEP_SUMMARY.",
)
@click.option(
    "--transparent",
    is_flag=True,
    help="Also for programs that know of no proxy: in a network of its own (Linux).",
)
@click.option("-q", "--quiet", is_flag=True, help="No report on standard error.")
@set_option
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append there what the proxy prints.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
def command(
    proxy: str | None,
    directory: str | None,
    offline: bool,
    mode: str | None,
    report_file: Path | None,
    transparent: bool,
    quiet: bool,
    settings: tuple[str, ...],
    log: Path | None,
    command: tuple[str, ...],
) -> None:
    """Runs a command whose downloads are cached.

    It gets a proxy of its own on a free port, and an environment in which pip, uv, npm, cargo, git,
    curl, wget, apt, Java and others use that proxy and trust it; nothing else changes, and nothing
    stays. At the end a report on standard error says what came from where.

    \b
      cachy run -- pip install -r requirements.txt
      cachy run --offline -- npm ci
      cachy run --report "$GITHUB_STEP_SUMMARY" -- make
      cachy run --proxy http://cache.example:8080 -- cargo build

    It ends as the command does: with its exit code, or 128 and the number of the signal that ended it;
    with 127 where there is no such command, 126 where it can't be executed, 125 where the proxy can't be
    started or reached. Where the environment names a proxy (HTTPS_PROXY), ours asks upstream by way of
    that one; hosts of NO_PROXY are then asked directly, as before. This machine itself (localhost) never
    is by way of a proxy. A password in --proxy can be seen by all users of the machine.
    """
    if offline:
        if mode not in (None, "offline"):
            raise click.UsageError(f"--offline or --mode {mode}?")
        mode = "offline"
    if proxy is not None and (directory or mode or settings or log):
        raise click.UsageError("--proxy: that proxy has its own tree, mode and options already")
    for setting in settings:
        if "=" not in setting:
            raise click.UsageError(f"--set {setting}: NAME=VALUE")
    say = silent if quiet else remark
    complain = silent if quiet and report_file is None else remark
    run = secrets.token_hex(16)
    with ExitStack() as stack:
        forget_terminals = stack.enter_context(stopping.in_order())
        try:
            place = stopping.temporary(stack, "cachy-run-")
            log = log or place / "proxy.log"
            if proxy is None:
                way = stack.enter_context(
                    ways.own(
                        log=log,
                        directory=directory,
                        mode=mode,
                        run=run,
                        settings=settings,
                        belongings=place,
                    )
                )
                theirs = way.proxy
            else:
                way = ways.running(proxy)
                theirs = stack.enter_context(Relay(way.proxy, f"Cachy-Run: {run}")).proxy_here
            if way.remark:
                say(way.remark)
            stack.callback(stopping.undisturbed)
            begun, used = time.monotonic(), unseen.used()
            code = execute(list(command), place, way, theirs, transparent, say)
            seconds, used_then = time.monotonic() - begun, unseen.used()
            forget_terminals()
        except (OSError, ValueError, ProxyError, LaunchError) as error:
            raise NotRun(f"{error}; the command was not run") from error
        if way.process is not None and (status := way.process.poll()) is not None:
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            remark("\n".join([f"the proxy ended with {status} before the command did", *said]))
        elif (counted := count(way, run, code, say, complain)) is not None:
            hint = None
            if not counted.get("requests"):
                hint = unseen.hint(
                    used,
                    used_then,
                    transparent=transparent,
                    offline=is_offline(mode, settings),
                    spared=os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "",
                )
            tell(Report(report.name(command), code, seconds, counted, hint), report_file, quiet)
    raise SystemExit(code)


def is_offline(mode: str | None, settings: Sequence[str]) -> bool:
    """Whether nobody is asked."""
    return mode == "offline" or "cachy_mode=offline" in settings


def remark(text: str) -> None:
    """Says something on standard error."""
    aside().print(f"cachy: {text}", soft_wrap=True)


def silent(_: str) -> None:
    """Says nothing."""


def execute(
    command: list[str],
    folder: Path,
    way: Way,
    proxy: Proxy,
    transparent: bool,
    say: Callable[[str], None],
) -> int:
    """Runs the command.

    Args:
        command: It.
        folder: For the files that clients need.
        way: Whose CA they trust.
        proxy: The proxy as they see it.
        transparent: Whether they shall not need to know.
        say: For remarks.

    Raises:
        OSError: The files can't be written.
    """

    said: set[str] = set()

    def environment(*, by_proxy: bool) -> dict[str, str]:
        changes = prepare(
            folder,
            proxy,
            way.ca,
            os.environ,
            direct=way.direct,
            by_proxy=by_proxy,
            in_project=True,
        )
        for text in set(changes.remarks) - said:
            say(text)
        said.update(changes.remarks)
        return changes.apply(os.environ)

    if transparent:
        try:
            return child.shell_code(
                enclosed.run_enclosed(
                    command,
                    env=environment(by_proxy=False),
                    proxy_url=proxy.url,
                    bundle=folder / BUNDLE,
                )
            )
        except enclosed.Unsupported as why:
            say(f"--transparent is not possible here: {why}; by variables then")
        except (FileNotFoundError, PermissionError) as error:
            return child.not_started(command[0], error)
    return child.run(command, environment(by_proxy=True))


def count(
    way: Way,
    run: str,
    code: int,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> dict[str, Any] | None:
    """What the proxy counted. Waits for what our own still fetches, if little is missing.

    Args:
        way: The proxy.
        run: What it counted.
        code: How the command ended; who was stopped waits for nothing.
        say: For remarks.
        complain: For why there will be no report.

    Returns:
        ``None`` where it tells nothing, which is said.
    """

    def ask() -> dict[str, Any] | None:
        return internal(way.proxy, f"/runs/{run}")

    try:
        counted = ask()
        if counted is None:
            if way.remark is None:
                complain("no report: that proxy tells none; is its cachy as new as this one?")
        elif way.process is None:
            # Whoever's it is, it goes on.
            counted.pop("unfinished", None)
        elif code < STOPPED:
            with suppress(stopping.Stopped):
                counted = finishing.finish(counted, ask, say)
    except ProxyError as error:
        complain(f"no report: {error}")
        return None
    return counted


def tell(made: Report, file: Path | None, quiet: bool) -> None:
    """Reports on standard error and to a file.

    Args:
        made: The report.
        file: The file.
        quiet: To the file alone.
    """
    if not quiet:
        report.show(made, aside())
    if file is not None:
        try:
            report.save(made, file)
        except OSError as error:
            remark(f"no report in {file}: {error.strerror}")
