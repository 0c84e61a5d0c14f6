"""``cachy put``"""

import sys
from pathlib import Path
from typing import BinaryIO

import click

from cachy._core import Tree
from cachy.cli.terminal import Failure, No, dir_option, open_tree, refusals

PIECE = 1 << 20


@click.command("put")
@click.argument("url")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--force", is_flag=True, help="Replace a person's file too.")
@dir_option
def command(url: str, file: str, force: bool, directory: str) -> None:
    """Puts a copy of FILE under URL, as your own.

    FILE may be -, which is standard input. It answers the URL at once, also in a
    proxy that runs: 200, with the media type of what it replaces, else by its
    name; never checked upstream, replaced or evicted. It gets there whole or not
    at all. What cachy had stored there goes; a file of a person's stays (exit
    code 1) unless you say --force.

    \b
    Examples:
      cachy put https://example.org/dir/thing-1.2.zip thing.zip
      make patched | cachy put https://example.org/thing.tar -
    """
    tree = open_tree(directory, needed=False)
    try:
        with refusals():
            path = from_stdin(tree, url, force) if file == "-" else whole(tree, url, file, force)
    except FileExistsError as error:
        raise No(
            f"{error.filename} is a person's file, and nothing else has it: "
            "say --force to replace it"
        ) from error
    click.echo(path)


def whole(tree: Tree, url: str, file: str, force: bool) -> Path:
    """Copies a file.

    Raises:
        Failure: It is a folder.
    """
    try:
        return tree.put(url, file, force=force)
    except IsADirectoryError as error:
        raise Failure(f"{file} is a folder: put its files one by one") from error


def from_stdin(tree: Tree, url: str, force: bool) -> Path:
    """Copies standard input to its end."""
    source: BinaryIO = sys.stdin.buffer
    upload = tree.upload(url, force=force)
    try:
        while piece := source.read(PIECE):
            upload.write(piece)
        return upload.commit()
    finally:
        upload.close()
