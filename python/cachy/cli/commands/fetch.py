"""``cachy fetch``"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cachy._core import Tree
from cachy.cli import stopping, ways
from cachy.cli.abreast import abreast
from cachy.cli.fetch import Fetched, Fetcher, Wanted
from cachy.cli.launch import LaunchError
from cachy.cli.terminal import (
    Failure,
    No,
    aside,
    dir_option,
    json_option,
    print_json,
    set_option,
    size,
)
from cachy.cli.through import ProxyError


@click.command("fetch")
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option("--misses", is_flag=True, help="Also what was asked for offline and was not there.")
@click.option("--refresh", is_flag=True, help="Check upstream what is in the tree.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="How many at the same time.",
)
@click.option("--proxy", metavar="URL", help="A proxy that runs, in place of one of its own.")
@dir_option
@set_option
@json_option
def command(
    urls: tuple[str, ...],
    misses: bool,
    refresh: bool,
    jobs: int,
    proxy: str | None,
    directory: str,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fetches URLs into the tree.

    Where a file is named in the place of a URL, its lines are URLs; so are those of standard input,
    for -. Empty lines and those that begin with # are passed over.

    \b
      cachy fetch https://host.example/tool.tar.gz
      cachy fetch - < urls.txt
      cachy fetch --misses       what a build wanted while there was no line

    Exit code 1 where any of them could not be fetched: a line for each says why. Ctrl-C ends it at
    once; what was fetched before is in the tree.
    """
    if proxy is not None and settings:
        raise click.UsageError("--proxy: that proxy has its options already")
    with stopping.in_order():
        wanted = list(dict.fromkeys(read(urls)))
        try:
            if misses:
                wanted += missed(directory)
            if not wanted:
                if misses:
                    aside().print("cachy: nothing is missing")
                    return
                raise click.UsageError("name a URL, a file of URLs, or --misses")
            with ExitStack() as stack:
                if proxy is None:
                    place = stopping.temporary(stack, "cachy-fetch-")
                    way = stack.enter_context(
                        ways.own(
                            log=place / "log",
                            directory=directory,
                            mode="refresh" if refresh else None,
                            settings=settings,
                            belongings=place,
                        )
                    )
                else:
                    way = ways.running(proxy)
                stack.callback(stopping.undisturbed)
                results = fetch_all(Fetcher(way.proxy, way.ca, refresh=refresh), wanted, jobs)
        except (OSError, ValueError, LaunchError, ProxyError) as error:
            raise Failure(f"{error}") from error
    if as_json:
        print_json(
            [
                {
                    "url": each.wanted.url,
                    "bytes": each.bytes,
                    "failure": each.failure,
                    "cache_status": each.cache_status,
                }
                for each in results
            ]
        )
    failed = [each for each in results if each.failure is not None]
    if not failed and not as_json:
        total = size(sum(each.bytes for each in results))
        aside().print(f"cachy: {len(results)} fetched, {total}")
    if failed:
        raise No(f"{len(failed)} of {len(results)} could not be fetched")


def read(words: tuple[str, ...]) -> Iterator[Wanted]:
    """The URLs of the command line.

    Raises:
        click.UsageError: A word is neither a URL nor a file.
    """
    for word in words:
        if word.startswith(("http://", "https://")):
            yield Wanted(plain(word))
            continue
        if word != "-" and not Path(word).is_file():
            raise click.UsageError(
                f"{word} is neither a URL (http:// or https://) nor a file of URLs"
            )
        with click.open_file(word) as file:
            lines = [line.strip() for line in file]
        yield from (Wanted(plain(line)) for line in lines if line and not line.startswith("#"))


def plain(url: str) -> str:
    """The URL, where it holds no credentials.

    Raises:
        click.UsageError: It does: nothing that is fetched with them is for everybody.
    """
    if "@" in urlsplit(url).netloc:
        raise click.UsageError(f"{url}: what is fetched with credentials is not stored")
    return url


def missed(directory: str) -> list[Wanted]:
    """What was asked for and was neither there nor to be had."""
    tree = Tree(directory)
    return [Wanted(miss.url, miss.accept) for miss in tree.misses()]


def fetch_all(fetcher: Fetcher, wanted: list[Wanted], jobs: int) -> list[Fetched]:
    """Fetches them, with a bar on standard error and a line for each that fails."""
    columns = (
        TextColumn("{task.fields[size]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    results: list[Fetched] = []
    arrived = whole = 0
    lock = threading.Lock()
    console = aside()
    # A log has no use for a bar.
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=len(wanted), size=size(0))

        def progress(count: int) -> None:
            nonlocal arrived
            with lock:
                arrived += count
            bar.update(task, size=size(arrived))

        def one(each: Wanted) -> Fetched:
            nonlocal whole
            result = fetcher.fetch(each, progress)
            with lock:
                whole += result.failure is None
            return result

        try:
            for result in abreast((partial(one, each) for each in wanted), jobs):
                results.append(result)
                bar.advance(task)
                if result.failure is not None:
                    bar.console.print(
                        f"cachy: {result.wanted.url}: {result.failure}", soft_wrap=True
                    )
        except stopping.Stopped as end:
            end.add(f"{whole} of {len(wanted)} were fetched before")
            raise
    return results
