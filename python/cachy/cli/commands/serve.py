"""``cachy serve``"""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import click

from cachy import hangup
from cachy._core import parse_max_size, parse_span
from cachy.cli import nearby, through
from cachy.cli.corporate import Upstream, upstream
from cachy.cli.count import count
from cachy.cli.launch import LaunchError, check, options_of
from cachy.cli.modes import unshared
from cachy.cli.redirect import DEFAULT_PORT, Redirect
from cachy.cli.terminal import Failure, aside, dir_option, refusals
from cachy.cli.welcome import welcome
from cachy.cli.words import WithArguments
from cachy.inherited import Inherited, inherit
from cachy.listening import Listening
from cachy.notify import Notifier
from cachy.terms import Terms
from cachy.workers.process import WorkersError
from cachy.workers.supervisor import supervise


def seconds(_: click.Context, __: click.Parameter, value: str) -> int:
    """Reads a time span.

    Raises:
        click.BadParameter: It is none.
    """
    try:
        return parse_span(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("serve", cls=WithArguments)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 for a free one.",
)
@dir_option
@click.option(
    "--mode",
    type=click.Choice(["normal", "offline", "refresh", "off"]),
    help="See `cachy options`, as for the next two.",
)
@click.option("--freshness", type=click.Choice(["auto", "forever"]))
@click.option("--max-size", metavar="SIZE", help="Such as 10GB.")
@click.option(
    "--transparent",
    "interface",
    metavar="INTERFACE",
    help="As root: also for what arrives on that interface, such as br0, as long as it runs; see "
    "`cachy transparent`.",
)
@click.option(
    "--transparent-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Listen in transparent mode there too, on all addresses; with --transparent 8081 by default.",
)
@click.option(
    "--workers",
    callback=count,
    metavar="N|auto",
    default="1",
    show_default=True,
    help="Processes that share the port, the tree and the CA; auto: one for each core.",
)
@click.option(
    "--grace",
    callback=seconds,
    metavar="TIME",
    default="30s",
    show_default=True,
    help="How long SIGTERM or Ctrl-C wait for what is being downloaded: 30s, 2m, or 0.",
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="A line for each request; so none takes the fast lane, where there is no log.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMDUMP ARGS...]")
def command(
    host: str,
    port: int,
    directory: str,
    mode: str | None,
    freshness: str | None,
    max_size: str | None,
    interface: str | None,
    transparent_port: int | None,
    workers: int,
    grace: float,
    verbose: bool,
    arguments: tuple[str, ...],
) -> None:
    """Runs a proxy for everybody, in the foreground.

    It is mitmdump with the addon, and prints what to do next. By default only this machine can reach it.

    \b
      cachy serve
      cachy serve --host 0.0.0.0 --dir /srv/cachy     for an office
      cachy serve --workers auto                      on all cores
      cachy serve --transparent br0                   for what is behind a bridge
      cachy serve -- --set block_global=false         what follows is mitmdump's

    Ctrl-C or SIGTERM end it when its downloads are finished, a second one at once; it ends with its
    terminal, too, unless nohup runs it. SIGHUP reads mitmproxy's config.yaml again; with workers, it
    replaces them one by one by new ones. It takes sockets of systemd's, and tells systemd how it is. Where
    the environment names a proxy (HTTPS_PROXY), upstream is asked by way of that one, but for hosts of
    NO_PROXY.
    """
    hangup.keep()
    notifier = Notifier(os.environ)
    try:
        inherited = inherit(os.environ)
    except ValueError as error:
        raise Failure(f"the proxy did not start: {error}") from error
    options = {"cachy_dir": directory}
    given = {"cachy_mode": mode, "cachy_freshness": freshness, "cachy_max_size": max_size}
    options |= {name: value for name, value in given.items() if value is not None}
    with refusals():
        parse_max_size(max_size or "")
    options |= (
        {"flow_detail": "1", "cachy_lane": "off"}
        if verbose
        else {"flow_detail": "0", "termlog_verbosity": "warn"}
    )
    if workers > 1 and (alone := unshared(arguments)) is not None:
        raise click.UsageError(f"--workers is for modes of TCP alone: {alone} needs one process")
    if inherited.transparent:
        transparent_port = inherited.transparent[0].getsockname()[1]
    ours = not any(
        word in ("-m", "--mode") or word.startswith(("--mode=", "mode=")) for word in arguments
    )
    if not ours and (interface or transparent_port):
        raise click.UsageError("--transparent, or mitmdump's --mode?")
    by = upstream(os.environ, port) if ours and mode != "offline" else Upstream()
    where = ["--listen-host", host, "--listen-port", str(port)]
    rules: Redirect | None = None
    if interface or transparent_port:
        transparent_port = transparent_port or DEFAULT_PORT
        if by.arguments:
            raise Failure("behind another proxy (HTTPS_PROXY) there is no transparent mode")
        # The rules lead to the interface's own address, whichever that is.
        where = ["--mode", f"regular@{host}:{port}", "--mode", f"transparent@{transparent_port}"]
        if through.is_loopback(host):
            # Nobody gets in who was not led here, and those may have public addresses (IPv6).
            where += ["--set", "block_global=false"]
    if interface:
        try:
            rules = Redirect(interface, transparent_port or DEFAULT_PORT)
        except ValueError as error:
            raise click.UsageError(str(error)) from error

    world = inherited.regular or not through.is_loopback(host)
    machine = nearby.of_this_machine() if world else []

    def tell(listening: Listening) -> None:
        # Nobody may want to hear it.
        with suppress(OSError):
            welcome(listening, Path(directory), machine, by.remark)

    try:
        check(Path(directory), mode)
        if ours and not inherited.regular:
            make_sure_is_free(host, port)
        if transparent_port and not inherited.transparent:
            make_sure_is_free("", transparent_port, "--transparent-port")
        words = [*where, *options_of(options | by.options, arguments), *by.arguments, *arguments]
        with led(rules):
            serve(workers, words, tell, grace, notifier, inherited)
    except (OSError, LaunchError) as error:
        raise Failure(f"the proxy did not start: {error}") from error
    except SystemExit as end:
        if end.code:
            raise Failure("the proxy did not start, see above") from end
        raise


def serve(
    workers: int,
    arguments: list[str],
    tell: Callable[[Listening], None],
    grace: float,
    notifier: Notifier,
    inherited: Inherited,
) -> None:
    """Runs one proxy in this process, or several in processes of their own.

    Raises:
        Failure: They did not start.
    """
    terms = Terms(grace, notifier)
    if workers == 1:
        # mitmproxy takes a third of a second to load.
        from cachy import dump

        dump.run(arguments, tell, terms=terms, inherited=inherited)
        return
    try:
        supervise(
            workers,
            arguments,
            lambda told: tell(Listening.of(told)),
            lambda text: aside().print(f"cachy: {text}", soft_wrap=True),
            terms,
            inherited,
        )
    except WorkersError as error:
        raise Failure(f"the proxy did not start: {error}") from error


def led(rules: Redirect | None) -> AbstractContextManager[object]:
    """Leads an interface here as long as the context lasts, or as long as it did before.

    Raises:
        Failure: It is led elsewhere, or the rules can't be made.
    """
    if rules is None:
        return nullcontext()
    there = rules.state()
    if there.port is None:
        return rules
    if there.port != rules.port:
        raise Failure(
            f"{rules.interface} is led to port {there.port} already: "
            f"`cachy transparent down --interface {rules.interface}`, or --transparent-port"
        )
    aside().print(
        f"cachy: {rules.interface} was led here before, and still is when this ends", soft_wrap=True
    )
    return nullcontext()


def make_sure_is_free(host: str, port: int, option: str = "--port") -> None:
    """Finds out what mitmproxy would say in its own words.

    Raises:
        LaunchError: Nobody can listen there.
    """
    try:
        # It is not listened on: clients that came just now would be reset when it is closed.
        with socket.socket(family(host)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise LaunchError(f"port {port} is taken; name another by {option}") from None
        raise LaunchError(f"cannot listen on {host}, port {port}: {error.strerror}") from None


def family(host: str) -> socket.AddressFamily:
    """IPv6 or IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
