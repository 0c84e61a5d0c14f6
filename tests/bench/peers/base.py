"""What all peers have in common."""

import itertools
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..process import Process
from ..tool import HOST, Client, Origin, Report, Tool

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """Where the peers live."""

    folder: Path
    """For all of them."""
    tool: Tool
    origin: Origin
    hosts: Sequence[str]
    """Every name that will be asked for."""

    @property
    def files(self) -> Path:
        """What the origin would answer, for those who can't ask it: `HOST/PATH` below it."""
        return self.folder / "files"

    def fresh(self, name: str) -> Path:
        """A new folder. Nothing is deleted before the end of all: an ext4 without a journal makes no file
        where one was deleted lately, and takes a while to find another place, so who makes files would
        pay for who was there before.
        """
        folder = self.folder / f"{name.replace(' ', '-')}-{next(_numbers)}"
        folder.mkdir(parents=True)
        return folder


@dataclass
class Running:
    """A peer that listens."""

    peer: "Peer"
    place: Place
    process: Process
    ca_pem: Path
    """What its clients have to trust."""
    tree: Path | None = None
    """cachy's."""

    def begin(self, url: str, *arguments: str) -> Client:
        """Starts the load client on a URL's template, by way of this peer."""
        way = "--proxy" if self.peer.proxy else "--direct"
        where = f"127.0.0.1:{self.process.port}"
        return self.place.tool.get(way, where, "--ca", str(self.ca_pem), "--url", url, *arguments)

    def get(self, url: str, *arguments: str) -> Report:
        """The same, and waits for its end."""
        return self.begin(url, *arguments).wait()

    def drop(self, path: str) -> None:
        """Has cachy forget what it stored, lest the disk fills up."""
        if self.tree:
            for folder in self.tree.glob(f"{HOST}:*"):
                (folder / path.lstrip("/")).unlink(missing_ok=True)


class Peer:
    """One of those that are compared."""

    name: str
    title: str
    """What it is, in a few words."""
    proxy = True
    """Whether clients reach it by CONNECT."""
    stores = True
    """Whether it answers without the origin at the second time."""

    def missing(self) -> str | None:
        """Why it can't be measured here."""
        return None

    def start(self, place: Place) -> Running:
        """A fresh one, with nothing stored.

        Raises:
            RuntimeError: It does not start.
        """
        raise NotImplementedError


def hand_over(folder: Path, user: str) -> None:
    """Gives a folder to the user that a server changes to when root starts it."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user)
