"""``cachy doctor``"""

import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from cachy.cli import checks, probes, stopping
from cachy.cli.abreast import abreast
from cachy.cli.checks import Finding
from cachy.cli.programs import Programs
from cachy.cli.terminal import Failure, console, dir_option, json_option, print_json
from cachy.cli.through import DEFAULT, HOST, Proxy

MARKS = {"good": ("✓", "green"), "bad": ("✗", "red"), "unknown": ("–", "yellow")}

#: How many hosts of the tree are tried where no URL is named.
TRIED = 3


@click.command("doctor")
@click.argument("urls", nargs=-1, metavar="[URL...]")
@click.option(
    "--proxy",
    metavar="URL",
    show_default=f"$https_proxy, else {DEFAULT}",
    help="The proxy, which runs.",
)
@dir_option
@json_option
def command(urls: tuple[str, ...], proxy: str | None, directory: str, as_json: bool) -> None:
    """Tells what is wrong, and how to mend it.

    Is the proxy up, and is it cachy? Do strict clients, such as Python 3.13, accept its CA? Does
    each client that is found here use it and trust its CA, in this shell? Each is made to ask for
    something small. Does upstream's TLS verify, for the URLs that are named, else for some hosts of
    the tree? Can the tree (the proxy's, where it is on this machine) be written, and is there room?

    \b
      cachy doctor
      cachy doctor https://index.example/      is that site reached, and trusted?
      cachy run -- cachy doctor                what `cachy run` sets up

    A line each: ✓ good, ✗ bad, – not known. Exit code 1 where anything is bad.
    """
    for url in urls:
        if not re.fullmatch(r"https?://[^\s/]\S*", url):
            raise click.UsageError(f"{url!r} is no URL: one looks like https://index.example/")
    try:
        where = Proxy.parse(proxy or checks.proxy_of(os.environ) or DEFAULT)
    except ValueError as error:
        raise Failure(f"{error}") from error
    with stopping.in_order():
        up = checks.up(where)
        tree = up.directory or Path(directory)
        findings = [up.finding, *checks.tree(tree, up.writable)]
        if up.ca is not None:
            findings.insert(1, checks.strict(where, up.ca))
            findings += asked(where, up.ca, urls, tree)
    if as_json:
        print_json([asdict(each) for each in findings])
    else:
        show(findings)
    if any(each.state == "bad" for each in findings):
        raise SystemExit(1)


def asked(proxy: Proxy, ca: str, urls: tuple[str, ...], directory: Path) -> list[Finding]:
    """What upstream and the clients have to say, asked at the same time."""
    option = "" if str(proxy) == DEFAULT else f" --proxy {proxy}"
    mend = f'eval "$(cachy env{option})"'
    sites = urls or tuple(checks.hosts(directory, TRIED))
    url = f"https://{HOST}/ca.pem"
    works: list[Callable[[], Finding | None]] = [
        partial(checks.upstream, proxy, ca, site, asked=bool(urls)) for site in sites
    ]
    with ExitStack() as stack:
        place = stopping.temporary(stack, "cachy-doctor-")
        programs = stack.enter_context(Programs())
        works += [partial(probes.ask, probe, url, mend, programs, place) for probe in probes.PROBES]
        found = list(abreast(works, 4))
        stopping.undisturbed()
    found.append(probes.java_settings(ca, mend))
    return [each for each in found if each is not None]


def show(findings: list[Finding]) -> None:
    """Prints a line for each."""
    out = console()
    width = max(len(each.what) for each in findings)
    for each in findings:
        mark, colour = MARKS[each.state]
        mend = f"  → {each.mend}" if each.mend and each.state == "bad" else ""
        out.print(mark, style=colour, end=" ")
        out.print(f"{each.what:{width}}  {each.text}{mend}", soft_wrap=True)
