"""Stores and replaces entries of all kinds until it is killed: `python -m support.committer DIR SEED`.

Drives the core alone. Prints label and version of each entry as soon as that is stored.
"""

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cachy import _core

from .inspection import request
from .sealed import VERSION, seal

HOST = "https://h.example"
THREADS = 4
Fields = list[tuple[str, str]]


class Committer:
    """Makes entries of its own URLs, by its number."""

    def __init__(self, cache: _core.Cache, number: int, seed: int) -> None:
        self.cache = cache
        self.number = number
        self.random = random.Random(seed * 100 + number)
        self.versions = iter(range(seed * 1_000_000, sys.maxsize))

    def run(self) -> None:
        """For ever."""
        kinds: list[Callable[[str], None]] = [
            self.file,
            self.status,
            self.file_and_folder,
            self.variant,
            self.slash,
            self.thing_itself,
            self.cut,
        ]
        while True:
            kind = self.random.choice(kinds)
            kind(f"{HOST}/{kind.__name__}{self.number}-{self.random.randrange(2)}")

    def size(self) -> int:
        """Of a body, bytes."""
        return self.random.choice([0, 100, 10_000, 300_000])

    def exchange(self, url: str, fields: Fields | None = None) -> _core.Exchange:
        """A request that goes upstream."""
        exchange = self.cache.exchange(request(url, fields))
        assert isinstance(exchange.decide(patient=True), _core.Forward), url
        return exchange

    def deliver(
        self, exchange: _core.Exchange, label: str, status: int = 200, fields: Fields | None = None
    ) -> None:
        """Upstream's answer, and that it is stored."""
        version = next(self.versions)
        body = seal(label, version, self.size() if status == 200 else 0)
        head = [("Content-Length", str(len(body))), (VERSION, str(version)), *(fields or [])]
        exchange.response(status, [(n.encode(), v.encode()) for n, v in head])
        for piece in pieces(body):
            exchange.write(piece)
        assert exchange.end(clean=True)
        exchange.commit()
        exchange.close(whole=True)
        tell(label, version)

    def file(self, url: str) -> None:
        """New or replaced."""
        self.deliver(self.exchange(url), url)

    def status(self, url: str) -> None:
        """A file, a 404 or a redirect, one after the other."""
        status = self.random.choice([200, 404, 410, 302])
        fields = [("Location", "https://there.example/a")] if status == 302 else []
        self.deliver(self.exchange(url), url, status, fields)

    def file_and_folder(self, url: str) -> None:
        """A URL that is both, such as npm's, in any order."""
        url += self.random.choice(["", "/-/x.tgz", "/-/y/z", "/"])
        self.deliver(self.exchange(url), url, self.random.choice([200, 200, 404]))

    def variant(self, url: str) -> None:
        """One of several."""
        language = self.random.choice(["de", "fr", "en"])
        exchange = self.exchange(url, [("Accept-Language", language)])
        self.deliver(exchange, f"{url}|{language}", fields=[("Vary", "Accept-Language")])

    def slash(self, url: str) -> None:
        """A file that becomes a folder with an index, and a file again."""
        if self.random.random() < 0.5:
            self.deliver(self.exchange(url), url)
            return
        exchange = self.exchange(url)
        exchange.response(301, [(b"Location", f"{url}/".encode()), (b"Content-Length", b"0")])
        exchange.end(clean=True)
        exchange.commit()
        exchange.close(whole=True)
        tell(url, -1)
        self.deliver(self.exchange(f"{url}/"), f"{url}/")

    def thing_itself(self, url: str) -> None:
        """What a redirect leads to."""
        url += ".zip"
        exchange = self.exchange(url)
        leads = [(b"Location", b"https://there.example/b.zip"), (b"Content-Length", b"0")]
        assert isinstance(exchange.response(302, leads), _core.Ticket)
        work = exchange.work()
        assert work is not None and isinstance(work.decide(), _core.Forward)
        self.deliver(work, url)
        exchange.close(whole=True)

    def cut(self, url: str) -> None:
        """A body that is never whole."""
        exchange = self.exchange(url)
        exchange.response(200, [(b"Content-Length", b"1000000")])
        exchange.write(bytes(1000))
        assert not exchange.end(clean=True)
        exchange.close(whole=False)


def tell(label: str, version: int) -> None:
    """Prints it, in one piece and at once."""
    os.write(1, f"{label} {version}\n".encode())


def pieces(body: bytes) -> Iterator[bytes]:
    """In pieces as they come from a network."""
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


def main(folder: str, seed: str) -> None:
    """Opens the tree and works in it."""
    cache = _core.Cache(Path(folder), mode="refresh", freshness="auto", private=False)
    for number in range(THREADS):
        committer = Committer(cache, number, int(seed))
        threading.Thread(target=committer.run).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
