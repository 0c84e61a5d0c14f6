"""``cachy show``"""

from typing import Any

import click

from cachy._core import Entry, Shown
from cachy.cli.terminal import (
    ago,
    as_dict,
    dir_option,
    json_option,
    moment,
    open_tree,
    print_json,
    refusals,
    size,
    span,
)


@click.command("show")
@click.argument("url")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A field of the request that is thought of, such as 'Accept: text/html'.",
)
@click.option(
    "--mode",
    type=click.Choice(["normal", "offline", "refresh", "off"]),
    default="normal",
    show_default=True,
    help="The proxy's cachy_mode.",
)
@click.option(
    "--freshness",
    type=click.Choice(["auto", "forever"]),
    default="auto",
    show_default=True,
    help="The proxy's cachy_freshness.",
)
@json_option
@dir_option
def command(
    url: str,
    headers: tuple[str, ...],
    mode: str,
    freshness: str,
    as_json: bool,
    directory: str,
) -> None:
    """Tells what is stored for URL, and what a request gets.

    That is, what it would get now, and why: the answer of the code that decides
    in the proxy, asked without a trace. Nothing is fetched, and it is no use.

    \b
    Examples:
      cachy show https://example.org/simple/six/
      cachy show https://example.org/simple/six/ -H 'Cache-Control: no-cache'
      cachy show https://example.org/thing.zip --mode offline

    Exit code 1 where nothing is stored for it; what a request would do is told
    all the same.
    """
    with refusals():
        fields = [field(text) for text in headers]
        shown = open_tree(directory).show(url, headers=fields, mode=mode, freshness=freshness)
    if as_json:
        print_json(document(shown))
    else:
        for line in lines(shown):
            click.echo(line)
    if shown.entry is None and not shown.forecast.hit:
        raise SystemExit(1)


def field(text: str) -> tuple[bytes, bytes]:
    """A header field as curl takes it.

    Raises:
        BadParameter: It has no colon.
    """
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text!r} is no field: write 'NAME: VALUE'")
    return name.strip().encode(), value.strip().encode()


def document(shown: Shown) -> dict[str, Any]:
    """For scripts."""
    return as_dict(shown) | {
        "entry": None if shown.entry is None else as_dict(shown.entry),
        "variants": [as_dict(variant) for variant in shown.variants],
        "forecast": as_dict(shown.forecast),
    }


def lines(shown: Shown) -> list[str]:
    """For people."""
    told = [f"url:        {shown.url}", f"path:       {shown.path}"]
    if shown.entry is None:
        told.append("stored:     nothing lies there")
    else:
        told += about(shown.entry)
    for variant in shown.variants:
        values = ", ".join(f"{name}: {value}" for name, value in variant.selecting)
        told += ["", f"variant:    {values}", f"path:       {variant.path}", *about(variant)]
    status = "" if shown.forecast.status is None else f" ({shown.forecast.status})"
    told += [
        "",
        f"a request:  {shown.forecast.words}{status}",
        f"            Cache-Status: {shown.forecast.cache_status}",
    ]
    return told


def about(entry: Entry) -> list[str]:
    """What is known of one file or link."""
    told = [f"status:     {entry.status or 'a link to another file'}"]
    whose = {"cachy": "cachy", "person": "a person"}.get(entry.whose, entry.whose)
    told.append(f"whose:      {whose}")
    if entry.status == 200:
        told.append(f"size:       {size(entry.size)} ({entry.size} bytes)")
    if entry.age is not None:
        told.append(f"age:        {span(entry.age)}")
    if entry.freshness is not None:
        told.append(f"freshness:  {entry.freshness}")
    for name, at in (
        ("fetched:   ", entry.fetched_at),
        ("checked:   ", entry.checked_at),
        ("last used: ", entry.used_at),
        ("changed:   ", entry.modified_at if entry.whose == "person" else None),
    ):
        if at is not None:
            told.append(f"{name} {moment(at)} ({ago(at)})")
    if entry.sha256 is not None:
        told.append(f"sha256:     {entry.sha256}")
    if entry.selecting and entry.variant is None:
        values = ", ".join(f"{name}: {value}" for name, value in entry.selecting)
        told.append(f"for:        {values}")
    if entry.headers:
        told.append("headers:")
        told += [f"  {n.decode('latin-1')}: {v.decode('latin-1')}" for n, v in entry.headers]
    return told
